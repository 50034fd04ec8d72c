"""Where the log of a replica is: its origin, how much it wrote, and the newest stamp it knows."""

import struct
from typing import Final, NamedTuple

from ramax.core.clock import wall_stamp
from ramax.core.sync.runs import ALONE, COUNTED, TIMED, Run, next_timed, rule_from

_FORM: Final = struct.Struct(">16sQQB")
_OLD_FORM: Final = struct.Struct(">16sQQ")


class Own(NamedTuple):
    """New events of a replica."""

    stamps: range
    run: Run | None
    """That they begin; None: they go on with the newest one of the log."""

    head: "ReplicaHead"
    """After them."""


class ReplicaHead(NamedTuple):
    """What the hot row of a replicated space says."""

    origin: bytes
    """Of this replica; its own events get it."""

    origin_seq: int = 0
    """Of the newest event of this origin."""

    stamp: int = 0
    """The highest stamp of any event of the space; the next one is above it."""

    rule: int = ALONE
    """Of the newest run of the log, if new events may go on with it."""

    @classmethod
    def unpack(cls, packed: bytes) -> "ReplicaHead":
        """Read what `pack` wrote."""
        return cls(*(_FORM if len(packed) == _FORM.size else _OLD_FORM).unpack(packed))

    def pack(self) -> bytes:
        """Return it as it is stored; 33 bytes."""
        return _FORM.pack(*self)

    def observed(self, stamp: int) -> "ReplicaHead":
        """Return the head after an event of another origin."""
        return ReplicaHead(self.origin, self.origin_seq, max(self.stamp, stamp))

    def own(self, sequence: int, count: int, micros: int) -> Own:
        """Give new events of this replica their stamps.

        Args:
            sequence: Of the first of them in the log.
            micros: Their time.
        """
        origin, before, last, rule = self
        stamp, run = last + 1, None
        wall = wall_stamp(micros)
        timed = next_timed(last, micros, count) if rule == TIMED else None
        if timed is not None:
            stamp = timed
        elif rule != COUNTED or wall >= stamp:
            stamp = max(stamp, wall)
            rule = rule_from(stamp, micros, count)
            run = Run(sequence, origin, before + 1, stamp, rule)
        head = ReplicaHead(origin, before + count, stamp + count - 1, rule)
        return Own(range(stamp, stamp + count), run, head)
