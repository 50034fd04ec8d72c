"""A log of typed entries with a sequence and a hash chain of its own: the rules."""

import struct
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from ramax.core.codec import encode
from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.values import Event, NewEvent

LOG = DataType("log", replaces=True)
PREFIX: Final = LOG.type("")
"""What the event type of an entry has before the entry's own type."""

ENTITY: Final = LOG.id_of("entries")
GENESIS: Final = bytes(32)
"""The hash before the first entry."""

SEQUENCE: Final = "log_sequence"
"""In the metadata of an entry's event: which sequence it got."""

HEAD: Final = "head"
ENTRIES: Final = "n/"
COUNTS: Final = "t/"


class Head(NamedTuple):
    """The newest entry: its sequence, 0 before the first, and its hash."""

    sequence: int = 0
    hash: bytes = GENESIS


_NO_ENTRY: Final = Head()


def entry_key(sequence: int) -> str:
    """Return the key of an entry; keys sort as sequences do."""
    return f"{ENTRIES}{sequence:016x}"


def entry_hash(
    sequence: int, entry_type: str, micros: int, payload: Mapping[str, Any], previous: bytes
) -> bytes:
    """Hash an entry and all before it: SHA-256 over its fields and the hash of the previous one."""
    name, body = entry_type.encode(), encode(payload, "payload")
    head = struct.pack("<QqII", sequence, micros, len(name), len(body))
    return sha256(b"".join((head, name, body, previous))).digest()


def append(state: State, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[NewEvent]:
    """Add entries, each a type and a payload, at the end.

    The sequence in the metadata is for the caller; what counts is the order of the events.
    """
    first = Head(*state.get(HEAD, ())).sequence + 1
    return [
        NewEvent(PREFIX + name, payload, entity_id=ENTITY, metadata={SEQUENCE: sequence})
        for sequence, (name, payload) in enumerate(entries, first)
    ]


@LOG.applicator("*")
def was_appended(state: State, event: Event) -> None:
    """The log has one entry more."""
    newest, previous = state.get(HEAD, _NO_ENTRY)
    sequence, payload, micros = newest + 1, event.payload, event.micros
    name = event.event_type[len(PREFIX) :]
    digest = entry_hash(sequence, name, micros, payload, previous)
    state[entry_key(sequence)] = [name, payload, micros, digest, previous]
    state[HEAD] = [sequence, digest]
    count = COUNTS + name
    state[count] = state.get(count, 0) + 1
