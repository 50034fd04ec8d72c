"""Where the log of a replica is: its origin, how much it wrote, and the newest stamp it knows."""

import struct
from typing import Final, NamedTuple

from ramax.core.clock import next_stamp

_FORM: Final = struct.Struct(">16sQQ")
UID_BYTES: Final = 16
"""Of the id of an event, which is random."""


class Place(NamedTuple):
    """What the side row of an event says.

    ``causation`` is only given where the cause was not known here when the event came. A ``late``
    event came after others that follow it in the canonical order.
    """

    uid: bytes
    origin: bytes
    origin_seq: int
    stamp: int
    late: bool = False
    causation: bytes | None = None


class ReplicaHead(NamedTuple):
    """What the hot row of a replicated space says."""

    origin: bytes
    """Of this replica; its own events get it."""

    origin_seq: int = 0
    """Of the newest event of this origin."""

    stamp: int = 0
    """The highest stamp of any event of the space; the next one is above it."""

    @classmethod
    def unpack(cls, packed: bytes) -> "ReplicaHead":
        """Read what `pack` wrote."""
        return cls(*_FORM.unpack(packed))

    def pack(self) -> bytes:
        """Return it as it is stored; 32 bytes."""
        return _FORM.pack(*self)

    def observed(self, stamp: int) -> "ReplicaHead":
        """Return the head after an event of another origin."""
        return self._replace(stamp=max(self.stamp, stamp))

    def own(self, uid: bytes, now: int) -> "tuple[Place, ReplicaHead]":
        """Return the place of a new event of this replica, and the head after it.

        Args:
            now: UTC µs.
        """
        head = self._replace(origin_seq=self.origin_seq + 1, stamp=next_stamp(self.stamp, now))
        return Place(uid, head.origin, head.origin_seq, head.stamp), head
