"""Values that this process remembers of a space, as a source for a unit of work."""

from collections.abc import Mapping
from typing import Any

from ramax.core.state import End, KeysMissingError, Packed
from ramax.storage.executors import Executor
from ramax.storage.reads import StoredSource

_ABSENT: Any = object()


class Remembered(StoredSource):
    """Reads misses from what is known at this guard, then from the database."""

    __slots__ = ("_values",)

    def __init__(self, ex: Executor, space_id: int, values: Mapping[str, Packed | None]) -> None:
        self._ex, self._space_id, self._values = ex, space_id, values

    def load(self, key: str) -> Packed | None:
        """See `Source.load`."""
        found = self._values.get(key, _ABSENT)
        return super().load(key) if found is _ABSENT else found


class RememberedOnly:
    """Answers from memory only, and notes what it could not answer."""

    __slots__ = ("_values", "missing")

    def __init__(self, values: Mapping[str, Packed | None]) -> None:
        self._values = values
        self.missing: dict[str, None] = {}

    def load(self, key: str) -> Packed | None:
        """See `Source.load`."""
        found = self._values.get(key, _ABSENT)
        if found is _ABSENT:
            self.missing[key] = None
            raise KeysMissingError([key])
        return found  # type: ignore[no-any-return]

    def load_range(self, _low: str, _high: str) -> Mapping[str, Packed]:
        """Give up: which keys there are, memory does not know."""
        raise KeysMissingError([])

    def load_nearest(self, _low: str, _high: str, _end: End) -> str | None:
        """Give up, likewise."""
        raise KeysMissingError([])
