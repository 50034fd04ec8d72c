"""An event as replicas exchange it: its stored bytes, who wrote it when, and a digest of it all."""

from hashlib import blake2b
from typing import Any, Final, NamedTuple

from ramax.core.codec import encode

DIGEST_BYTES: Final = 16
UID_BYTES: Final = 16

DISCARDED: Final = "ramax.replica.discarded"
"""Type of the event by which a record is left out everywhere; it travels like any other."""

REFUSED: Final = "ramax.replica.refused"
"""Type of the row of a record that was discarded before it was taken; no record has it."""


class EventRecord(NamedTuple):
    """One event of one origin; equal on every replica, byte by byte.

    ``origin`` and ``origin_seq`` say who wrote it and as his how manieth, 1, 2, 3 and so on without
    a gap; ``stamp`` is of the hybrid logical clock. ``payload``, ``metadata`` and ``tags`` are
    stored bytes, which nobody on the way decodes. ``causation`` is the uid of an event of the
    same space.
    """

    uid: bytes
    origin: bytes
    origin_seq: int
    stamp: int
    event_type: str
    entity_id: str
    payload: bytes
    format: str
    timestamp: int
    version: int
    causation: bytes | None
    correlation_id: str | None
    metadata: bytes | None
    tags: bytes | None
    digest: bytes

    @property
    def place(self) -> tuple[int, bytes, int]:
        """Its place in the canonical order, which is the same on every replica."""
        return self.stamp, self.origin, self.origin_seq


def digest_of(*said: Any) -> bytes:
    """Return BLAKE2b-128 over all that a record says, in its order, the digest itself left out.

    Two records of the same place must agree in it.
    """
    return blake2b(encode(list(said), "record"), digest_size=DIGEST_BYTES).digest()


def is_whole(record: EventRecord) -> bool:
    """Whether the digest of a record is that of what it says."""
    return digest_of(*record[:-1]) == record.digest
