"""Taking events of other replicas into the log of a space, as one unit of work of its writer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ramax.core.clock import check_stamp
from ramax.core.codec import decode, encode
from ramax.core.datatypes.replica import entity_of
from ramax.core.event_row import EventRow
from ramax.core.sync.accepting import accept
from ramax.core.sync.head import Place, ReplicaHead
from ramax.core.sync.record import REFUSED, EventRecord
from ramax.core.sync.sound import DAMAGED, Refusal
from ramax.core.sync.vector import Vector, advanced
from ramax.core.sync.wire import pack_record, unpack_record
from ramax.core.unit import SpaceUnit
from ramax.errors import ClockSkewError, ForkError, GapError, MisuseError
from ramax.runtime.jobs import Groups, WholeLog
from ramax.sync.layer import Refused


class OriginReusedError(Exception):
    """Others know events of this replica that it does not know: it was restored from a backup.

    ``first`` is the number of the first of them; what is here from there on is something else.
    """

    def __init__(self, origin: bytes, first: int) -> None:
        super().__init__(origin, first)
        self.origin, self.first = origin, first


class Given(NamedTuple):
    """A record that came, and why it is not to be taken, if it is not."""

    record: EventRecord
    refusal: Refusal | None = None


class Aside(NamedTuple):
    """A record that was not taken, to be kept until it can be."""

    record: EventRecord
    code: str
    reason: str


@dataclass(slots=True, eq=False)
class Receive:
    """Records of other replicas; what came of them is told by the last run."""

    given: Sequence[Given]
    gives_way: bool = False
    discarded: frozenset[bytes] = frozenset()
    """Uids of records that are left out: they get their places, and nobody folds them."""

    vector: Vector = field(default_factory=dict)
    accepted: Sequence[EventRecord] = ()
    duplicates: int = 0
    refused: tuple[Refused, ...] = ()
    aside: tuple[Aside, ...] = ()

    def run(self, unit: SpaceUnit, log: WholeLog, now: int) -> Groups:
        """Sort out what is new and add it; the pstate stays behind.

        Raises:
            GapError: Events of an origin before these are missing; nothing of it stays.
            ForkError: Other events are in their places; nothing of it stays.
            OriginReusedError: They are of this replica, which does not know them, and gives way.
        """
        head = unit.replica
        if head is None:
            raise MisuseError(f"space {unit.space_name!r} is not replicated: enable it first")
        known = _known(log, unit.places)
        sorting = _Sorting(unit.space_name, known, self.discarded, now)
        for given in sorted(self.given, key=_turn):
            sorting.add(given)
        believed, self.refused, self.aside = sorting.results()
        if self.gives_way:
            _check_own(unit.space_name, head, known, believed, log)
        for each in believed:
            if each.origin == head.origin and each.origin_seq > head.origin_seq:
                raise ForkError(unit.space_name, each.origin, each.origin_seq)
        new, self.duplicates = accept(
            unit.space_name, believed, known, _Digests(log, unit, believed).at
        )
        self.accepted, self.vector = new, advanced(known, new)
        new.sort(key=_place)
        _check_uids(unit, log, new)
        causes = log.ids_of({each.causation for each in new if each.causation is not None})
        rows = []
        for sequence, record in enumerate(new, unit.head + 1):
            if record.uid in sorting.left_out:
                rows.append(_refused_row(record, sequence))
                continue
            rows.append(_row(causes, record, sequence, late=record.stamp <= head.stamp))
            head = head.observed(record.stamp)
        return [unit.receive(rows)]


def _turn(given: Given) -> tuple[bytes, int, bool]:
    """Sort by origin and sequence; of two for one place, a damaged one comes last."""
    damaged = given.refusal is not None and given.refusal.code == DAMAGED
    return given.record.origin, given.record.origin_seq, damaged


WAITING = "sync.waiting"
"""Code of a record that follows one of its origin that was not taken."""


class _Sorting:
    """Tells records that are taken from those that are not, and from those that have to wait."""

    def __init__(self, space: str, known: Vector, discarded: frozenset[bytes], now: int) -> None:
        self._space, self._known, self._discarded, self._now = space, known, discarded, now
        self._reached = dict(known)
        self._stopped: set[bytes] = set()
        self._believed: list[EventRecord] = []
        self._refused: list[Refused] = []
        self._aside: list[Aside] = []
        self.left_out: set[bytes] = set()
        """Uids of records that are taken as what nobody folds."""

    def add(self, given: Given) -> None:
        """Take the next record, by origin and sequence."""
        record, refusal = given
        origin, seq = record.origin, record.origin_seq
        if refusal is not None and refusal.code == DAMAGED and seq <= self._reached.get(origin, 0):
            return  # the whole one is here
        if origin in self._stopped:
            last = self._aside[-1].record
            if (last.origin, last.origin_seq) != (origin, seq):  # it may come, and be kept already
                self._aside.append(Aside(record, WAITING, "it follows one that is not taken"))
            return
        if seq <= self._known.get(origin, 0):
            self._believed.append(record)
            return
        refusal = refusal or self._too_early(record)
        if refusal is not None and not self._is_left_out(record, refusal):
            self._stop(record, refusal)
            return
        self._reached[origin] = max(seq, self._reached.get(origin, 0))
        self._believed.append(record)

    def _is_left_out(self, record: EventRecord, refusal: Refusal) -> bool:
        if refusal.code == DAMAGED or record.uid not in self._discarded:
            return False
        self.left_out.add(record.uid)
        return True

    def _stop(self, record: EventRecord, refusal: Refusal) -> None:
        if record.origin_seq > self._reached.get(record.origin, 0) + 1:
            raise GapError(self._space, dict(self._known))
        self._stopped.add(record.origin)
        self._refused.append(Refused(record.uid, *refusal))
        self._aside.append(Aside(record, *refusal))

    def _too_early(self, record: EventRecord) -> Refusal | None:
        try:
            check_stamp(record.stamp, self._now)
        except ClockSkewError as error:
            return Refusal(error.code, str(error))
        return None

    def results(self) -> tuple[list[EventRecord], tuple[Refused, ...], tuple[Aside, ...]]:
        """Return what is taken, what is not, and what is to be kept aside."""
        return self._believed, tuple(self._refused), tuple(self._aside)


def _check_own(
    space: str,
    head: ReplicaHead,
    known: Vector,
    records: Sequence[EventRecord],
    log: WholeLog,
) -> None:
    """Compare what others have of this replica's own events with what it has.

    Raises:
        OriginReusedError: They have others, or more.
        GapError: They have more, and it cannot be told from where on; send all of them.
    """
    own = [record for record in records if record.origin == head.origin]
    for record in own:
        found = log.record_at(record.origin, record.origin_seq)
        if found is not None and found.digest != record.digest:
            raise OriginReusedError(head.origin, record.origin_seq)
    if own and own[-1].origin_seq > head.origin_seq:
        if own[0].origin_seq > max(head.origin_seq, 1):
            raise GapError(space, {**known, head.origin: 0})
        raise OriginReusedError(head.origin, head.origin_seq + 1)


def _known(log: WholeLog, places: Mapping[int, Place]) -> dict[bytes, int]:
    """Return the vector of what is stored and of what this unit of work adds to it."""
    vector = dict(log.vector())
    for place in places.values():
        vector[place.origin] = max(vector.get(place.origin, 0), place.origin_seq)
    return vector


class _Digests:
    """Knows the digests of records that are in the log, or were taken just before these."""

    def __init__(self, log: WholeLog, unit: SpaceUnit, records: Sequence[EventRecord]) -> None:
        self._log, self._unit, self._records = log, unit, records

    def at(self, origin: bytes, origin_seq: int) -> bytes:
        """Return the digest of a record that is there."""
        found = self._log.record_at(origin, origin_seq)
        if found is not None:
            return found.digest
        # another caller of the same batch brought it: its row is not written yet
        row = self._row_at(origin, origin_seq)
        if row is not None and row[3] == REFUSED:
            return unpack_record(decode(row[4])["record"]).digest
        same = (r for r in self._records if (r.origin, r.origin_seq) == (origin, origin_seq))
        return next((r.digest for r in same if _said(r) == row), b"")

    def _row_at(self, origin: bytes, origin_seq: int) -> tuple[Any, ...] | None:
        for sequence, place in self._unit.places.items():
            if (place.origin, place.origin_seq) == (origin, origin_seq):
                row = self._unit.rows[sequence - self._unit.guard.last_sequence - 1]
                return (place.uid, place.stamp, *row[1:5], *row[6:])
        return None


def _said(record: EventRecord) -> tuple[object, ...]:
    """Return what a row that is not written yet says of a record: all but its cause."""
    return (
        record.uid,
        record.stamp,
        record.entity_id,
        record.event_type,
        record.payload,
        record.timestamp,
        record.correlation_id,
        record.metadata,
        record.version,
        record.tags,
    )


def _check_uids(unit: SpaceUnit, log: WholeLog, new: Sequence[EventRecord]) -> None:
    """Refuse new records that bear the id of another event.

    Raises:
        ForkError: One does.
    """
    known = {*log.ids_of([record.uid for record in new])}
    known |= {place.uid for place in unit.places.values()}
    for record in new:
        if record.uid in known:
            raise ForkError(unit.space_name, record.origin, record.origin_seq)
        known.add(record.uid)


def _row(
    causes: Mapping[bytes, int], record: EventRecord, sequence: int, *, late: bool
) -> tuple[EventRow, Place]:
    cause = None if record.causation is None else causes.get(record.causation)
    row = EventRow(
        sequence,
        record.entity_id,
        record.event_type,
        record.payload,
        record.timestamp,
        cause,
        record.correlation_id,
        record.metadata,
        record.version,
        record.tags,
    )
    unknown = record.causation if cause is None else None
    place = Place(record.uid, record.origin, record.origin_seq, record.stamp, late, unknown)
    return row, place


def _refused_row(record: EventRecord, sequence: int) -> tuple[EventRow, Place]:
    """Return a row that keeps a record as it came, for others, and that nothing is read from."""
    row = EventRow(
        sequence,
        entity_of(record.uid),
        REFUSED,
        encode({"record": pack_record(record)}, "refused record"),
        record.timestamp,
        None,
        None,
        None,
        1,
        None,
    )
    return row, Place(record.uid, record.origin, record.origin_seq, record.stamp)


def _place(record: EventRecord) -> tuple[int, bytes, int]:
    return record.place
