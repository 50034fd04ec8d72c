"""Texts that several people edit at once: what an edit is, and what of it is kept. The rules.

An event carries an update of a CRDT as opaque bytes, and folding collects them: no library is
needed for it, and what it comes to is the same bytes on every replica, which no export of such a
library would be. Only who reads or edits the text opens it with a `CrdtCodec`. After 256 updates
the editor adds an event with all of these as one, and the parts go.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.values import Event, NewEvent

TEXT: Final = DataType("text", alone=True)
EDITED: Final = TEXT.type("edited")
PACKED: Final = TEXT.type("packed")

PACK_AT: Final = 256
"""So many single updates are packed into one."""

_DIGEST_BYTES: Final = 16
_MARK_BYTES: Final = 32


class Head(NamedTuple):
    """Where a text is: ``mark`` is that of all edits in it, whatever their order and packing."""

    mark: bytes = b""
    loose: int = 0
    """Updates since the last packing; a repeated one counts twice."""

    packed: bytes = b""
    """The version that is packed."""


class Pack(NamedTuple):
    """One update in place of many, and the version up to which all is packed with it."""

    update: bytes
    version: bytes


class Contents:
    """What is stored of a text, read when it is asked for."""

    def __init__(self, state: Mapping[str, Any], name: str) -> None:
        self._state, self._name = state, name
        self.head = Head(*state.get(head_key(name), ()))

    def keys(self) -> list[str]:
        """Return the keys of the packed updates and of the loose ones."""
        return [*_under(self._state, f"{self._name}/p/"), *self.loose()]

    def loose(self) -> list[str]:
        """Return the keys of the loose updates."""
        return _under(self._state, loose_prefix(self._name))

    def updates(self, keys: list[str]) -> list[bytes]:
        """Return the updates under these keys, about as they were made."""
        found: list[tuple[datetime, bytes]] = sorted(self._state[key] for key in keys)
        return [update for _, update in found]


class Edited(NamedTuple):
    """What an editor did: an update, if anything; and a pack, where he was asked for one."""

    update: bytes | None
    pack: Pack | None = None


Editor = Callable[[Contents], Edited]
"""Edits the text that is stored; asked twice for the same contents it answers the same."""


def head_key(name: str) -> str:
    """Return the key of what is known of a text."""
    return f"{name}/h"


def loose_prefix(name: str) -> str:
    """Return what the keys of single updates begin with; 32 hexadecimal digits follow."""
    return f"{name}/u/"


def digest_of(update: bytes) -> bytes:
    """Return what an update is known by: the same bytes are the same edit."""
    return blake2b(update, digest_size=_DIGEST_BYTES).digest()


def marked(mark: bytes, update: bytes) -> bytes:
    """Return the mark after another edit: the sum of their digests."""
    digest = blake2b(update, digest_size=_MARK_BYTES).digest()
    total = int.from_bytes(mark, "big") + int.from_bytes(digest, "big")
    return (total % (1 << 8 * _MARK_BYTES)).to_bytes(_MARK_BYTES, "big")


def loose_key(name: str, update: bytes) -> str:
    """Return the key of a single update."""
    return loose_prefix(name) + digest_of(update).hex()


def pack_key(name: str, update: bytes) -> str:
    """Return the key of a packed update."""
    return f"{name}/p/{digest_of(update).hex()}"


def edit(state: State, params: tuple[str, Editor]) -> list[NewEvent]:
    """Let an editor change the text, and pack what has become too many."""
    name, editor = params
    contents = Contents(state, name)
    edited = editor(contents)
    if edited.update is None:
        return []
    entity_id = TEXT.id_of(name)
    events = [NewEvent(EDITED, {"update": edited.update}, entity_id=entity_id)]
    if edited.pack is not None:
        covered = {bytes.fromhex(key[-2 * _DIGEST_BYTES :]) for key in contents.loose()}
        covered.add(digest_of(edited.update))
        payload = {**edited.pack._asdict(), "replaces": sorted(covered)}
        events.append(NewEvent(PACKED, payload, entity_id=entity_id))
    return events


@TEXT.applicator(EDITED)
def was_edited(state: State, event: Event) -> None:
    """There is one more update; one that is there already stays once."""
    name, update = TEXT.name_of(event), _checked(event.payload["update"])
    head = Head(*state.get(head_key(name), ()))
    state[loose_key(name, update)] = [event.timestamp, update]
    state[head_key(name)] = [marked(head.mark, update), head.loose + 1, head.packed]


@TEXT.applicator(PACKED)
def was_packed(state: State, event: Event) -> None:
    """Many updates are one."""
    name, payload = TEXT.name_of(event), event.payload
    update, version = _checked(payload["update"]), _checked(payload["version"])
    replaced = [_checked(each).hex() for each in payload["replaces"]]
    head = Head(*state.get(head_key(name), ()))
    for each in replaced:
        state.pop(loose_prefix(name) + each, None)
    state[pack_key(name, update)] = [event.timestamp, update]
    loose = max(0, head.loose - len(replaced))
    state[head_key(name)] = [head.mark, loose, version]


def _checked(value: Any) -> bytes:
    """Refuse what is no bytes: other replicas may say anything. What the bytes say is not known."""
    if type(value) is not bytes:
        raise ValueError(value)
    return value


def _under(state: Mapping[str, Any], prefix: str) -> list[str]:
    under = getattr(state, "under", None)
    if under is not None:
        found: list[str] = under(prefix)
        return found
    return sorted(key for key in state if key.startswith(prefix))
