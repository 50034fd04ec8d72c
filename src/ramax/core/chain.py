"""The hash chain of a space: each hash covers what an event is stored as, and the hash before it.

The form is part of the wire format: a chain can be checked by anything that has SHA-256 and
MessagePack. What the database gives an event, its id and the space's id, is not in it, and the
order of the fields never changes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgpack

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.event_row import EventRow

BEGINNING: Final = hashlib.sha256(b"ramax hash chain 1").digest()
"""The hash before the first event, the same in every space."""

HASHED: Final = (
    "space_sequence",
    "entity_id",
    "event_type",
    "payload",
    "format",
    "timestamp",
    "causation_id",
    "correlation_id",
    "metadata",
    "version",
    "tags",
)
"""The columns of an event that its hash covers, in the order in which they are packed."""


def next_hash(previous: bytes, values: Sequence[Any]) -> bytes:
    """Return the hash of an event: 32 bytes.

    Args:
        values: As stored, in the order of `HASHED`; payload and metadata as the bytes they are.
    """
    packed: bytes = msgpack.packb(values, use_bin_type=True, strict_types=True)
    return hashlib.sha256(previous + packed).digest()


def hashes_of(previous: bytes, rows: Iterable[EventRow]) -> list[bytes]:
    """Return the hash of each event on its way into the log, in order."""
    found = []
    for row in rows:
        previous = next_hash(previous, [*row[:4], FORMAT_MSGPACK, *row[4:]])
        found.append(previous)
    return found
