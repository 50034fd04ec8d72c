"""Runs: events of one origin that follow each other in a log, described by the first of them.

Most events of a log come after another one of the same origin, and their numbers and stamps follow
a rule. So a log needs a description for each run of them, and none for each event.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from ramax.core.clock import COUNTER_BITS, wall_stamp

ALONE: Final = 0
"""A run of one event."""

COUNTED: Final = 1
"""Each stamp is the one before it plus 1."""

TIMED: Final = 2
"""Each stamp is the time of its event, with a counter that goes on from event to event."""

_COUNTER: Final = (1 << COUNTER_BITS) - 1


def uid_of(origin: bytes, origin_seq: int) -> bytes:
    """Return the id of an event that no one gave another one; `seq_of` finds the way back."""
    return (int.from_bytes(origin) ^ origin_seq).to_bytes(len(origin))


def seq_of(uid: bytes, origin: bytes) -> int | None:
    """Return which event of an origin has an id by `uid_of`; None if none could."""
    found = int.from_bytes(uid) ^ int.from_bytes(origin)
    return found if 0 < found < 1 << 63 else None


class Place(NamedTuple):
    """Where an event belongs among those of all replicas.

    ``causation`` is the uid of a cause that is not known here. A ``late`` event came after others
    that follow it in the canonical order.
    """

    uid: bytes
    origin: bytes
    origin_seq: int
    stamp: int
    late: bool = False
    causation: bytes | None = None


class Newest(NamedTuple):
    """The newest event of an origin."""

    origin_seq: int
    stamp: int


class Run(NamedTuple):
    """The first event of a run, and the rule that the others follow; ``sequence`` is of the log.

    A run reaches up to where the next one begins. ``uid`` is None where it is `uid_of`.
    """

    sequence: int
    origin: bytes
    origin_seq: int
    stamp: int
    rule: int
    late: bool = False
    uid: bytes | None = None
    causation: bytes | None = None

    def seq_at(self, sequence: int) -> int:
        """Return the number in its origin of the event at a sequence of the log."""
        return self.origin_seq + sequence - self.sequence

    def stamp_at(self, sequence: int, micros: int) -> int:
        """Return the stamp of the event at a sequence of the log, which has a time."""
        stamp = self.stamp + sequence - self.sequence
        return wall_stamp(micros) | (stamp & _COUNTER) if self.rule == TIMED else stamp

    def uid_at(self, sequence: int) -> bytes:
        """Return the uid of the event at a sequence of the log."""
        return self.uid or uid_of(self.origin, self.seq_at(sequence))

    def from_there(self, sequence: int, micros: int) -> "Run":
        """Return the run that begins with a later event of this one."""
        return Run(
            sequence,
            self.origin,
            self.seq_at(sequence),
            self.stamp_at(sequence, micros),
            self.rule,
            self.late,
        )


def rule_from(stamp: int, micros: int, count: int = 1) -> int:
    """Return the rule for ``count`` stamps from one on, all of events of one time."""
    counts = (stamp & _COUNTER) + count <= _COUNTER + 1
    on_time = stamp >> COUNTER_BITS == micros // 1000
    return TIMED if counts and on_time else COUNTED


def next_timed(last: int, micros: int, count: int) -> int | None:
    """Return the stamp by which a timed run goes on for ``count`` events; None: it cannot."""
    stamp = wall_stamp(micros) | ((last + 1) & _COUNTER)
    fits = stamp > last and (stamp & _COUNTER) + count <= _COUNTER + 1
    return stamp if fits else None


def runs_of(events: Iterable[tuple[int, int, Place]]) -> list[Run]:
    """Describe events that follow each other in a log, given as (sequence, UTC µs, place)."""
    runs: list[Run] = []
    for (_, _, before), (sequence, micros, place) in pairwise([(0, 0, _NOWHERE), *events]):
        if runs and _follows(before, place):
            run = runs[-1]
            if run.stamp_at(sequence, micros) == place.stamp:
                continue
            if sequence == run.sequence + 1 and place.stamp == run.stamp + 1:
                runs[-1] = run._replace(rule=COUNTED)
                continue
        uid = None if place.uid == uid_of(place.origin, place.origin_seq) else place.uid
        alone = uid is not None or place.causation is not None
        rule = ALONE if alone else rule_from(place.stamp, micros)
        runs.append(
            Run(sequence, *place[1:4], rule, late=place.late, uid=uid, causation=place.causation)
        )
    return runs


_NOWHERE = Place(b"", b"", 0, 0)


def _follows(before: Place, place: Place) -> bool:
    """Whether an event may be in a run with the one before it, as far as stamps do not matter."""
    return (
        place.origin == before.origin
        and place.origin_seq == before.origin_seq + 1
        and place.late == before.late
        and place.causation is None
        and before.causation is None
        and before.uid == uid_of(before.origin, before.origin_seq)
        and place.uid == uid_of(place.origin, place.origin_seq)
    )
