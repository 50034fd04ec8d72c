"""The bytes of one Erlang term, read forward within bounds, because they may be anything."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from ramax.errors import LegacyFormatError

MAX_DEPTH: Final = 256
"""Levels of list, tuple and map inside each other."""

MAX_INFLATED_TERMS: Final = 2**20
"""Items of lists, tuples and maps that a term may hold beyond one for each stored byte."""

MAX_INFLATED: Final = 64 * 1024 * 1024
"""Bytes of a term once it is inflated."""

_VERSION, _COMPRESSED = b"\x83", b"\x50"
_HEADER_BYTES: Final = 6  # version, marker, uint32 inflated size


def refuse(data: bytes, rule: str) -> NoReturn:
    """Raise the one error of this decoder."""
    raise LegacyFormatError("Erlang term", data, rule)


class Reader:
    """A position in the bytes of a term, what the bounds have left, and what was found odd."""

    __slots__ = ("atoms", "collisions", "data", "depth", "position", "tags", "terms_left")

    def __init__(self, stored: bytes, tags: Mapping[int, Callable[["Reader"], Any]]) -> None:
        self.data = _inflated(stored)
        self.tags = tags
        self.position = 0
        self.depth = 0
        self.terms_left = len(stored) + MAX_INFLATED_TERMS
        self.atoms: dict[tuple[str, bytes], Any] = {}
        self.collisions: list[Any] = []

    def next_tag(self) -> Callable[["Reader"], Any]:
        """Read a tag and return what reads the rest of its term.

        Containers call that themselves, which keeps this frame off the call stack of each level.
        """
        tag = self.number(1)
        read = self.tags.get(tag)
        if read is None:
            refuse(self.data, f"tag {tag} at byte {self.position - 1} is not known")
        return read

    def term(self) -> Any:
        """Read one term."""
        return self.next_tag()(self)

    def terms(self, count: int) -> list[Any]:
        """Read ``count`` terms, one level deeper."""
        self.enter()
        items = []
        for _ in range(count):
            items.append(self.next_tag()(self))  # noqa: PERF401 - as in next_tag
        self.depth -= 1
        return items

    def take(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        start = self.position
        end = self.position = start + size
        if end > len(self.data):
            refuse(self.data, f"is cut short: {size} bytes were expected at byte {start}")
        return self.data[start:end]

    def number(self, size: int) -> int:
        """Read an unsigned number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def count(self, size: int) -> int:
        """Read a declared number of terms, each of which takes a byte or more."""
        count = self.number(size)
        self.terms_left -= count
        if count > len(self.data) - self.position:
            refuse(self.data, f"declares {count:,} items, more than it has bytes")
        if self.terms_left < 0:
            refuse(self.data, "inflates to more items than any value of its size has")
        return count

    def enter(self) -> None:
        """Go one level deeper; the caller takes it back from ``depth``."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            refuse(self.data, f"nests deeper than {MAX_DEPTH} levels")


def _inflated(data: bytes) -> bytes:
    """The term without its version byte, inflated if it was compressed."""
    if data[:1] != _VERSION:
        refuse(data, "must begin with byte 131, the version of the format")
    if data[1:2] != _COMPRESSED:
        return data[1:]
    if len(data) < _HEADER_BYTES:
        refuse(data, "is cut short in the header of a compressed term")
    size = int.from_bytes(data[2:_HEADER_BYTES], "big")
    if size > MAX_INFLATED:
        refuse(data, f"declares {size:,} bytes inflated; the limit is {MAX_INFLATED:,}")
    inflater = zlib.decompressobj()
    try:
        term = inflater.decompress(data[_HEADER_BYTES:], size + 1)
    except zlib.error as error:
        refuse(data, f"does not inflate: {error}")
    if len(term) != size or not inflater.eof or inflater.unused_data:
        refuse(data, f"does not inflate to exactly the {size:,} bytes that it declares")
    return term
