"""Texts that stay open in this process, each known by the mark of what is in it.

An open text is an editor of its own, and each of its edits leaves it once: it goes on only from
contents that hold all its edits. One whose edit was not committed, was rolled back, or went to
another copy of the space fits none, and is forgotten. So no editor ever gives two edits one name,
however many copies, forks and restored backups of a space this process writes.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from ramax.core.datatypes import text as rules
from ramax.core.datatypes.text import Contents, Edited, Pack
from ramax.core.datatypes.text_codec import CrdtCodec, CrdtText
from ramax.datatypes.loro_codec import LoroCodec
from ramax.errors import CrdtError

Change = Callable[[CrdtText], bytes | None]
"""Changes a text; returns the update, None where there is nothing to do."""


class OpenText:
    """A text, and the keys of the updates in it."""

    __slots__ = ("document", "keys")

    def __init__(self, document: CrdtText, keys: set[str]) -> None:
        self.document, self.keys = document, keys


class OpenTexts:
    """The texts that were used last; for any number of threads.

    Args:
        most: How many stay open.
    """

    def __init__(self, codec: CrdtCodec, most: int) -> None:
        self.codec, self._most = codec, most
        self._open: OrderedDict[bytes, OpenText] = OrderedDict()
        self._lock, self._process = Lock(), os.getpid()

    def take(self, contents: Contents) -> OpenText:
        """Return the text that is stored; it is the caller's alone until he keeps it again."""
        found = self.find(contents.head.mark)
        if found is not None:
            return found
        keys = contents.keys()
        found = self._fitting(set(keys))
        if found is not None:
            try:
                found.document.apply(contents.updates([k for k in keys if k not in found.keys]))
            except CrdtError:
                found = None
        if found is None:
            found = OpenText(self.codec.open(contents.updates(keys)), set())
        found.keys = set(keys)
        return found

    def find(self, mark: bytes) -> OpenText | None:
        """Return the text of a mark if it is open, as `take` does."""
        with self._lock:
            if self._process != os.getpid():  # the parent goes on with the same editors
                self._open.clear()
                self._process = os.getpid()
            return self._open.pop(mark, None)

    def _fitting(self, keys: set[str]) -> OpenText | None:
        with self._lock:
            fitting = [mark for mark, each in self._open.items() if each.keys and each.keys <= keys]
            if not fitting:
                return None
            return self._open.pop(max(fitting, key=lambda mark: len(self._open[mark].keys)))

    def keep(self, mark: bytes, opened: OpenText) -> None:
        """Keep a text open for contents of this mark."""
        with self._lock:
            self._open[mark] = opened
            self._open.move_to_end(mark)
            while len(self._open) > self._most:
                self._open.popitem(last=False)


TEXTS: Final = OpenTexts(LoroCodec(), most=32)


class Edit:
    """One change that is asked for: made once for the contents it meets, however often it is run.

    A command may run again before it is committed: on the same contents it must say the same.
    """

    __name__ = "edit"

    def __init__(self, name: str, change: Change, texts: OpenTexts = TEXTS) -> None:
        self._name, self._change, self._texts = name, change, texts
        self._made: dict[bytes, Edited] = {}

    def __call__(self, contents: Contents) -> Edited:
        """Change the text that is stored; see `ramax.core.datatypes.text.Editor`."""
        mark = contents.head.mark
        if mark not in self._made:
            self._made[mark] = self._make(contents)
        return self._made[mark]

    def _make(self, contents: Contents) -> Edited:
        opened, mark = self._texts.take(contents), contents.head.mark
        try:
            update = self._change(opened.document)
        except CrdtError:
            raise  # what failed inside is not used again
        except Exception:
            self._texts.keep(mark, opened)
            raise
        if update is None:
            self._texts.keep(mark, opened)
            return Edited(None)
        opened.keys.add(rules.loose_key(self._name, update))
        mark, pack = rules.marked(mark, update), None
        if contents.head.loose + 1 >= rules.PACK_AT:
            pack = self._pack(contents, opened)
        self._texts.keep(mark, opened)
        return Edited(update, pack)

    def _pack(self, contents: Contents, opened: OpenText) -> Pack:
        document, name = opened.document, self._name
        try:
            packed = document.since(contents.head.packed)
        except CrdtError:  # a replica said what nobody understands
            packed = document.since(b"")
        loose = rules.loose_prefix(name)
        opened.keys = {key for key in opened.keys if not key.startswith(loose)}
        opened.keys.add(rules.pack_key(name, packed))
        return Pack(packed, document.version())
