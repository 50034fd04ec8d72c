"""``store.text(name)``: a text that several people edit at once, on several replicas."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, Unpack

from ramax.core.datatypes import text as rules
from ramax.core.datatypes.text import Contents, Head, head_key
from ramax.core.datatypes.text_codec import CrdtText
from ramax.core.limits import check_name
from ramax.datatypes.arguments import bound
from ramax.datatypes.open_texts import TEXTS, Change, Edit
from ramax.errors import DataError
from ramax.runtime.partition import PAGE, Partition, WriteOptions
from ramax.values import Commit, Event

T = TypeVar("T")

_MAX_TEXT_NAME_BYTES: Final = 128
_END: Final = -1


@dataclass(frozen=True, slots=True)
class TextInfo:
    """What a text is kept as.

    ``length`` is in code points; ``pieces`` is how many updates are read when it is opened;
    ``unreadable`` how many of them nobody can read: they came from another replica, and are left
    out.
    """

    length: int
    pieces: int
    unreadable: int


class Text:
    """One text of a space; it is there as soon as somebody asks for it, and empty.

    Edits that two replicas make at once are both kept, in one order everywhere, and letters that
    belong together stay together. Positions and lengths count code points, as in `str`. A name
    has 1 to 128 UTF-8 bytes and no slash. Every write takes the options of
    `ContentStore.execute`: ``expected_sequence``, ``idempotency_key``, …. Needs ``ramax[loro]``;
    to fold, rebuild and replicate a space that has texts does not.
    """

    def __init__(self, part: Partition, name: str) -> None:
        check_name(name, "text name", _MAX_TEXT_NAME_BYTES)
        if "/" in name:
            raise DataError("text name", name, "must not have a slash")
        self._part, self.name = part, name

    def __repr__(self) -> str:
        return f"<Text {self.name!r}>"

    async def get(self, *, as_of: int | datetime | None = None) -> str:
        """Return the text.

        Args:
            as_of: What it was after this event of the space, or at this time.

        Raises:
            DataError: ``as_of`` lies beyond the newest event, or in the future.
        """
        if as_of is None:
            return await self._look(lambda document: document.text(), "")
        upto = await self._part.access.locate(as_of)
        events = await self._part.history(self.name, before=upto + 1)
        updates = [event.payload["update"] for event in reversed(events)]
        return TEXTS.codec.open(updates).text() if updates else ""

    async def insert(self, position: int, text: str, **options: Unpack[WriteOptions]) -> Commit:
        """Insert a text before the letter at a position; at the end where it is the length.

        Raises:
            DataError: The position is not in the text, or the text cannot be written as UTF-8.
        """
        return await self.replace(position, 0, text, **options)

    async def append(self, text: str, **options: Unpack[WriteOptions]) -> Commit:
        """Add a text at the end."""
        return await self._replace(_END, 0, text, options)

    async def delete(self, position: int, length: int, **options: Unpack[WriteOptions]) -> Commit:
        """Delete so many letters from a position on.

        Raises:
            DataError: They are not all there.
        """
        return await self.replace(position, length, "", **options)

    async def replace(
        self, position: int, length: int, text: str, **options: Unpack[WriteOptions]
    ) -> Commit:
        """Put a text where so many letters were.

        Raises:
            DataError: They are not all there, or the text cannot be written as UTF-8.
        """
        for value, what in ((position, "position"), (length, "length")):
            if type(value) is not int or value < 0:
                raise DataError(what, value, "must be an integer that is not negative")
        return await self._replace(position, length, text, options)

    async def _replace(
        self, position: int, length: int, text: str, options: WriteOptions
    ) -> Commit:
        _check_text(text)

        def change(document: CrdtText) -> bytes | None:
            at = document.length if position == _END else position
            if at > document.length:
                raise DataError("position", at, f"the text has {document.length} letters")
            if at + length > document.length:
                raise DataError("length", length, f"{document.length - at} letters follow")
            return document.replace(at, length, text) if length or text else None

        return await self._edit(change, ["replace", position, length, text], options)

    async def set(self, text: str, **options: Unpack[WriteOptions]) -> Commit:
        """Make it another text by the edits between the two; what others do meanwhile is kept.

        Texts of more than 10,000 letters are compared by line.

        Raises:
            DataError: The text cannot be written as UTF-8.
        """
        _check_text(text)

        def change(document: CrdtText) -> bytes | None:
            return None if document.text() == text else document.rewrite(text)

        return await self._edit(change, ["set", text], options)

    async def version(self) -> bytes:
        """Return which edits are in the text, for `updates`; empty where there are none."""
        return await self._look(lambda document: document.version(), b"")

    async def updates(self, since: bytes = b"") -> bytes:
        """Return the edits that a version lacks, as one update for an editor elsewhere.

        Args:
            since: Of `version`, here or of another copy of the text; by default everything.

        Raises:
            CrdtError: It is no version.
        """
        if type(since) is not bytes:
            raise DataError("since", since, "must be bytes")
        return await self._look(lambda document: document.since(since))

    async def merge(self, update: bytes, **options: Unpack[WriteOptions]) -> Commit:
        """Take over edits made elsewhere, as loro exports them of its text named ``text``.

        What is here already changes nothing, and writes nothing.

        Raises:
            CrdtError: It cannot be read, or what it builds on is not here. Nothing was written.
        """
        if type(update) is not bytes:
            raise DataError("update", update, "must be bytes")

        def change(document: CrdtText) -> bytes | None:
            return update if document.merge(update) else None

        return await self._edit(change, ["merge", update], options)

    async def info(self) -> TextInfo:
        """Say how the text is kept."""
        contents = await self._contents()
        opened = TEXTS.take(contents)
        document = opened.document
        TEXTS.keep(contents.head.mark, opened)
        return TextInfo(document.length, len(contents.keys()), document.unreadable)

    async def history(self, *, limit: int | None = None) -> list[Event]:
        """Return the events of the text, the newest first."""
        return await self._part.history(self.name, limit=bound(limit, "limit"))

    async def _edit(self, change: Change, asked: list[Any], options: WriteOptions) -> Commit:
        params = (self.name, Edit(self.name, change))
        return await self._part.execute(rules.edit, params, [self.name, *asked], **options)

    async def _look(self, look: Callable[[CrdtText], T], nothing: T | None = None) -> T:
        head = Head(*(await self._part.get(head_key(self.name)) or ()))
        if not head.mark and nothing is not None:
            return nothing
        mark, opened = head.mark, TEXTS.find(head.mark)
        if opened is None:
            contents = await self._contents()
            mark, opened = contents.head.mark, TEXTS.take(contents)
        try:
            return look(opened.document)
        finally:
            TEXTS.keep(mark, opened)

    async def _contents(self) -> Contents:
        """Read all that is stored as of one moment: a page is, more of them where none moved."""
        while True:
            found = {key: value async for key, value in self._part.under(f"{self.name}/")}
            contents = Contents(found, self.name)
            if len(found) < PAGE:
                return contents
            if Head(*(await self._part.get(head_key(self.name)) or ())) == contents.head:
                return contents


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise DataError("text", text, "must be text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError("text", text, "has half a surrogate pair: not UTF-8") from None
