"""Which keys of a new pstate differ from the stored one, found page by page in key order."""

from collections.abc import Iterator, Sequence

from ramax.storage.executors import Row
from ramax.storage.reads import packed

_END: tuple[str | None, bytes] = (None, b"")

NEW, MAYBE = b"new", b""
"""What is known of a suspect. A new one is not stored: whoever writes it before the swap is either
found by time, which makes it a `MAYBE`, or moves the state version."""


class Comparison:
    """Walks the new keys beside the stored ones, both in key order."""

    def __init__(self, new: Iterator[tuple[str, bytes]]) -> None:
        self._new = new
        self._key, self._value = next(new, _END)
        self.after = ""

    def differing(self, rows: Sequence[Row], *, more: bool) -> Iterator[tuple[str, bytes]]:
        """Yield the keys up to the end of a page that are only on one side, or not the same.

        Each comes with `NEW` if it is not stored, or `MAYBE`.
        """
        for key, value, form, direct in rows:
            while self._key is not None and self._key < key:
                yield self._key, NEW
                self._step()
            if self._key != key:
                yield key, MAYBE
                continue
            if direct or packed(value, form) != self._value:
                yield key, MAYBE
            self._step()
        if rows:
            self.after = rows[-1][0]
        while self._key is not None and not more:
            yield self._key, NEW
            self._step()

    def _step(self) -> None:
        self._key, self._value = next(self._new, _END)
