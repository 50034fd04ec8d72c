"""Collaborative texts by the library ``loro`` (``ramax[loro]``), with its failures made errors."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import randbits
from typing import Any, Final

from ramax.core.datatypes.text_codec import CrdtText
from ramax.errors import CrdtError, MisuseError, RamaxError

CONTAINER: Final = "text"
"""The name of the text in a document, for editors elsewhere: ``doc.getText("text")``."""

_BY_LETTER: Final = 10_000
"""Code points up to which a rewritten text is compared letter by letter, beyond by line."""


class LoroCodec:
    """Opens texts as documents of loro; see `ramax.core.datatypes.text_codec.CrdtCodec`."""

    def open(self, updates: Sequence[bytes]) -> CrdtText:
        """Make a text of its updates; see `CrdtCodec.open`."""
        document = _LoroText()
        try:
            document.apply(updates)
        except CrdtError:
            return _without_unreadable(updates)
        return document


class _LoroText:
    def __init__(self) -> None:
        self._loro = _library()
        self._doc = self._loro.LoroDoc()
        # its own numbers may repeat in a forked process, and two editors of one number break a text
        self._doc.peer_id = randbits(63)
        self._text = self._doc.get_text(CONTAINER)
        self.unreadable = 0

    @property
    def length(self) -> int:
        return int(self._text.len_unicode)

    def text(self) -> str:
        with _guarded("text", None):
            return str(self._text)

    def apply(self, updates: Sequence[bytes]) -> None:
        if updates:
            with _guarded("updates", len(updates)):
                self._doc.import_batch(list(updates))

    def merge(self, update: bytes) -> bool:
        before = self.version()
        with _guarded("update", update):
            meta = self._loro.LoroDoc.decode_import_blob_meta(update, True)  # noqa: FBT003
            if meta.mode == self._loro.EncodedBlobMode.ShallowSnapshot:
                raise CrdtError("update", update, "lacks the beginning of its history")
            status = self._doc.import_(update)
            if status.pending is not None and not status.pending.is_empty:
                raise CrdtError("update", update, "builds on edits that are not here")
            str(self._text)
        return self.version() != before

    def replace(self, at: int, length: int, text: str) -> bytes:
        with _guarded("text", text):
            before = self._doc.oplog_vv
            if length:
                self._text.delete(at, length)
            if text:
                self._text.insert(at, text)
            return self._made_since(before)

    def rewrite(self, text: str) -> bytes:
        with _guarded("text", text):
            before = self._doc.oplog_vv
            if max(len(text), self.length) <= _BY_LETTER:
                self._text.update(text)
            else:
                self._text.update_by_line(text)
            return self._made_since(before)

    def _made_since(self, before: Any) -> bytes:
        self._doc.commit()
        return bytes(self._doc.export(self._loro.ExportMode.Updates(before)))

    def version(self) -> bytes:
        with _guarded("version", None):
            found: dict[int, tuple[int, int]] = self._doc.oplog_vv.to_spans().inner()
            vector = self._loro.VersionVector()
            for peer in sorted(found):
                vector.set_end(self._loro.ID(peer, found[peer][1]))
            return bytes(vector.encode())

    def since(self, version: bytes) -> bytes:
        vector = self._loro.VersionVector
        with _guarded("version", version):
            known = vector.decode(version) if version else vector()
            return bytes(self._doc.export(self._loro.ExportMode.Updates(known)))


def _without_unreadable(updates: Sequence[bytes]) -> _LoroText:
    """Open what can be read: after a failure a document is not to be trusted, so make it anew."""
    document, sound = _LoroText(), []
    for update in filter(_is_whole, updates):
        try:
            document.apply([update])
            sound.append(update)
        except CrdtError:
            document = _LoroText()
            document.apply(sound)
    document.unreadable = len(updates) - len(sound)
    return document


def _is_whole(update: bytes) -> bool:
    """Say whether the checksum of an update is right; no document is thrown away for that."""
    try:
        with _guarded("update", update):
            _library().LoroDoc.decode_import_blob_meta(update, True)  # noqa: FBT003
    except CrdtError:
        return False
    return True


_NOT_THE_LIBRARYS = (
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    MemoryError,
    RamaxError,
)


@contextmanager
def _guarded(what: str, value: object) -> Iterator[None]:
    """Make errors of the library ours; they, and its panics, derive from `BaseException`."""
    try:
        yield
    except _NOT_THE_LIBRARYS:
        raise
    except BaseException as error:
        raise CrdtError(what, value, f"loro: {error}") from error


def _library() -> Any:
    try:
        import loro  # noqa: PLC0415 - an extra
    except ImportError:
        raise MisuseError("texts need loro: pip install 'ramax[loro]'") from None
    return loro
