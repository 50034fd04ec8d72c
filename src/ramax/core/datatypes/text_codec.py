"""What a text that several people edit at once needs of a library of CRDTs: a codec, pure."""

from collections.abc import Sequence
from typing import Protocol


class CrdtText(Protocol):
    """A text with its history, in memory; positions and lengths are in code points.

    Whoever opens one is an editor of his own in it: two of them never give the same name to two
    edits, wherever and whenever they were opened.
    """

    unreadable: int
    """How many of the updates that it was opened with are left out: nobody can read them."""

    @property
    def length(self) -> int:
        """Code points in the text."""
        ...

    def text(self) -> str:
        """Return the text."""
        ...

    def apply(self, updates: Sequence[bytes]) -> None:
        """Take over updates that others made.

        Raises:
            CrdtError: One cannot be read; the document is to be thrown away.
        """
        ...

    def merge(self, update: bytes) -> bool:
        """Take over an update of unknown origin; say whether it brought anything new.

        Raises:
            CrdtError: It cannot be read, or what it builds on is not here; the document is to be
                thrown away.
        """
        ...

    def replace(self, at: int, length: int, text: str) -> bytes:
        """Put a text where a part was; return the update. Bounds were checked."""
        ...

    def rewrite(self, text: str) -> bytes:
        """Make it another text by as small an edit as is quickly found; return the update."""
        ...

    def version(self) -> bytes:
        """Return which edits are in it, packed."""
        ...

    def since(self, version: bytes) -> bytes:
        """Return everything that a version lacks, as one update; empty bytes lack all.

        Raises:
            CrdtError: The version cannot be read.
        """
        ...


class CrdtCodec(Protocol):
    """Opens texts; it keeps nothing."""

    def open(self, updates: Sequence[bytes]) -> CrdtText:
        """Make a text of all its updates, in about the order in which they were made.

        Repeated ones change nothing. Unreadable ones are left out and counted.

        Raises:
            MisuseError: The library is not installed.
        """
        ...
