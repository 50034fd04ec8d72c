"""Reading a replicated space in the order in which all replicas fold, that of the stamps.

Within an origin, the order of the log is that of the stamps as well: so the events of the origins
are merged.
"""

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.sync.place import FoldPlace
from ramax.core.sync.record import REFUSED
from ramax.storage.events import event_columns
from ramax.storage.executors import Executor, Row
from ramax.storage.records import read_left_out, read_parted
from ramax.storage.runs import (
    as_run,
    placed,
    read_newest,
    read_parts,
    read_runs,
    stamped,
    with_run,
)
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

Place = tuple[int, bytes, int]
"""Of the canonical order: stamp, origin, number in it."""

_SEQUENCE, _ENTITY, _TYPE = 2, 3, 4
_EVENT = 13
"""How many columns an event has."""


@Statement
def entity_events(t: Tables) -> sa.Select[Any]:
    """The events of an entity up to a sequence of the space, each with its run."""
    e = t.events.c
    found = with_run(t, *event_columns(t)).where(
        e.space_id == p("space_id"),
        e.entity_id == p("entity_id"),
        e.space_sequence <= p("upto"),
    )
    return found.limit(p("limit", type_=sa.BigInteger()))


@Statement
def times(t: Tables) -> sa.Select[Any]:
    """Sequences, times and formats of the events of a part of the log."""
    e = t.events.c
    return (
        sa.select(e.space_sequence, e.timestamp, e.format)
        .where(
            e.space_id == p("space_id"),
            e.space_sequence > p("after"),
            e.space_sequence <= p("upto"),
        )
        .order_by(e.space_sequence)
    )


def _typed(row: Row, left_out: frozenset[int]) -> Row:
    """Give an event that is left out a type that does nothing."""
    return (*row[:_TYPE], REFUSED, *row[_TYPE + 1 :]) if row[_SEQUENCE] in left_out else row


def _folded(row: Row, stamp: int, left_out: frozenset[int]) -> Row:
    """Give an event its stamp for a sequence, and a type that does nothing if it is left out."""
    return (*row[:_SEQUENCE], stamp, *_typed(row, left_out)[_ENTITY:])


def read_entity_in_order(
    ex: Executor, space_id: int, entity_id: str, *, upto: int, limit: int
) -> Sequence[Row]:
    """Read the events of an entity with sequence <= upto in the canonical order.

    If there are more than ``limit``, any of them. The stamp of each follows the columns of its
    row; one that is left out has a type that does nothing.
    """
    params = {"space_id": space_id, "entity_id": entity_id, "upto": upto, "limit": limit}
    left_out = read_left_out(ex, space_id, upto=upto)
    found: list[tuple[Place, Row]] = []
    for both in ex.rows(entity_events, params):
        row, run = both[:_EVENT], as_run(both[_EVENT:])
        stamp = stamped(run, row)
        place = (stamp, run.origin, run.seq_at(row[_SEQUENCE]))
        found.append((place, (*_typed(row, left_out), stamp)))
    return [row for _, row in sorted(found, key=itemgetter(0))]


def numbered(ex: Executor, space_id: int, rows: Sequence[Row]) -> Sequence[Row]:
    """Number events that follow each other in the log by their stamps; they stay in its order."""
    after, upto = rows[0][_SEQUENCE] - 1, rows[-1][_SEQUENCE]
    runs = read_runs(ex, space_id, after=after, upto=upto)
    left_out = read_left_out(ex, space_id, upto=upto)
    return [_folded(row, stamped(run, row), left_out) for run, row in placed(runs, rows)]


def read_times(ex: Executor, space_id: int, *, after: int, upto: int) -> Sequence[Row]:
    """Read sequences, times and formats of the events with after < sequence <= upto, in order."""
    return ex.rows(times, {"space_id": space_id, "after": after, "upto": upto})


def read_stamps(
    ex: Executor, space_id: int, *, after: int, upto: int
) -> dict[int, tuple[int, bool]]:
    """Read, by sequence, the stamps of events, and whether they are left out when they fold.

    Of those with after < sequence <= upto.
    """
    left_out = read_left_out(ex, space_id, upto=upto)
    runs = iter(read_runs(ex, space_id, after=after, upto=upto))
    run, following = next(runs, None), next(runs, None)
    found: dict[int, tuple[int, bool]] = {}
    for sequence, micros, _ in read_times(ex, space_id, after=after, upto=upto):
        while following is not None and following.sequence <= sequence:
            run, following = following, next(runs, None)
        if run is not None:
            found[sequence] = run.stamp_at(sequence, micros), sequence in left_out
    return found


def read_late_stamp(ex: Executor, space_id: int, *, after: int, upto: int) -> int | None:
    """Read the lowest stamp of the late events with after < sequence <= upto, or None."""
    found: list[int] = []
    for first in range(after, upto, _PART):
        for run in read_runs(ex, space_id, after=first, upto=min(first + _PART, upto)):
            if run.late and run.sequence > first:
                found.append(run.stamp)
            elif run.late:
                (at, micros, _), *_ = read_times(ex, space_id, after=first, upto=first + 1)
                found.append(run.stamp_at(at, micros))
    return min(found, default=None)


_PART = 10_000
"""Events whose runs are in memory at once."""


class CanonicalPages:
    """Pages of the events of a space; what comes meanwhile, and before others, is left out."""

    def __init__(self, space_id: int) -> None:
        self._space_id = space_id
        self._origins: dict[bytes, _Origin] = {}
        self._ready: list[tuple[Place, Row]] = []
        """Events of which it is known that no other one comes before them."""

        self._given = 0
        self.place = FoldPlace()
        """What was taken."""

        self._last: Place = self.place.last
        self._left_out: frozenset[int] | None = None
        self.outdated = False
        """Whether other events are left out now than when earlier pages were read."""

        self.looked = False
        """Whether how far the origins are was read for the last page."""

    def go_on_after(self, place: FoldPlace) -> None:
        """Begin after a place."""
        self.place, self._last = place, place.last

    def next_page(self, ex: Executor, limit: int, upto: int) -> Sequence[Row]:
        """Read the next events with sequence <= upto, numbered by their stamps.

        The same ones, until they were `taken`; none where there are no more. Those that are left
        out have a type that does nothing.
        """
        self.looked = not self._ready and not any(o.has_more for o in self._origins.values())
        if self.looked:
            self._look(ex)  # it begins, or came to the end that there was then
        while len(self._ready) < limit and self._merge(ex, limit, upto):
            pass
        self._given = min(limit, len(self._ready))
        left_out = read_left_out(ex, self._space_id, upto=upto)
        if self._left_out is not None and left_out != self._left_out:
            self.outdated = True
        self._left_out = left_out
        return [_folded(row, place[0], left_out) for place, row in self._ready[: self._given]]

    def taken(self) -> None:
        """Go on after the page that was given last."""
        if self._given:
            self.place = self.place.after([place for place, _ in self._ready[: self._given]])
            self._last = self.place.last
            del self._ready[: self._given]
            self._given = 0

    def _look(self, ex: Executor) -> None:
        for origin, newest in read_newest(ex, self._space_id).items():
            known = self.place.vector.get(origin, 0)
            self._origins.setdefault(origin, _Origin(origin, known)).newest = newest.origin_seq

    def _merge(self, ex: Executor, limit: int, upto: int) -> bool:
        """Move what is next from the origins to what is ready; False: there is no more."""
        several = max(limit // max(len(self._origins), 1), _LEAST)
        for each in self._origins.values():
            if not each.ahead and each.has_more:
                each.read_on(ex, self._space_id, several, upto)
        open_ = [each.ahead[-1][0] for each in self._origins.values() if each.has_more]
        end = min(open_, default=_END)
        found = [item for each in self._origins.values() for item in each.before(end)]
        self._ready += sorted((item for item in found if item[0] > self._last), key=itemgetter(0))
        return bool(found)


_LEAST = 16
"""Events of an origin that are read at once, where there are many origins."""

_END: Place = (1 << 63, b"", 0)


class _Origin:
    """The events of one origin: how far they were read, and those that were not given yet."""

    def __init__(self, origin: bytes, known: int) -> None:
        self.origin = origin
        self.ahead: list[tuple[Place, Row]] = []
        self.read = self.newest = known

    @property
    def has_more(self) -> bool:
        """Whether there are events that were not read."""
        return self.read < self.newest

    def read_on(self, ex: Executor, space_id: int, limit: int, upto: int) -> None:
        """Read the next events."""
        parts = read_parts(ex, space_id, self.origin, after=self.read, upto=upto, limit=limit)
        for run, row in read_parted(ex, space_id, parts):
            stamp, self.read = stamped(run, row), run.seq_at(row[_SEQUENCE])
            self.ahead.append(((stamp, self.origin, self.read), row))
        if not parts:
            self.read = self.newest  # the others are above the bound

    def before(self, end: Place) -> list[tuple[Place, Row]]:
        """Hand out what was read up to a place."""
        count = bisect_right(self.ahead, end, key=itemgetter(0))
        found, self.ahead = self.ahead[:count], self.ahead[count:]
        return found
