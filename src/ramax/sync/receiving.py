"""Taking events of other replicas into the log of a space, as one unit of work of its writer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ramax.core.clock import check_stamp
from ramax.core.sync.accepting import accept
from ramax.core.sync.head import Place, ReplicaHead
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector, advanced
from ramax.core.unit import EventRow, SpaceUnit
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


@dataclass(slots=True, eq=False)
class Receive:
    """Records of other replicas; what came of them is told by the last run."""

    records: Sequence[EventRecord]
    gives_way: bool = False
    vector: Vector = field(default_factory=dict)
    accepted: int = 0
    duplicates: int = 0
    refused: tuple[Refused, ...] = ()

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
        believed, self.refused = _believed(self.records, now)
        if self.gives_way:
            _check_own(unit.space_name, head, known, believed, log)
        for each in believed:
            if each.origin == head.origin and each.origin_seq > head.origin_seq:
                raise ForkError(unit.space_name, each.origin, each.origin_seq)
        new, self.duplicates = accept(
            unit.space_name, believed, known, _Digests(log, unit, believed).at
        )
        self.accepted, self.vector = len(new), advanced(known, new)
        new.sort(key=_place)
        _check_uids(unit, log, new)
        causes = log.ids_of({each.causation for each in new if each.causation is not None})
        rows = []
        for sequence, record in enumerate(new, unit.head + 1):
            rows.append(_row(causes, record, sequence, late=record.stamp <= head.stamp))
            head = head.observed(record.stamp)
        return [unit.receive(rows)]


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


def _believed(
    records: Sequence[EventRecord], now: int
) -> tuple[list[EventRecord], tuple[Refused, ...]]:
    """Leave out records of the future, and those of their origins after them, for later."""
    believed: list[EventRecord] = []
    refused: list[Refused] = []
    stopped: set[bytes] = set()
    for record in sorted(records, key=lambda r: (r.origin, r.origin_seq)):
        try:
            check_stamp(record.stamp, now)
        except ClockSkewError as error:
            stopped.add(record.origin)
            refused.append(Refused(record.uid, error.code, str(error)))
        else:
            if record.origin not in stopped:
                believed.append(record)
    return believed, tuple(refused)


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
        same = (r for r in self._records if (r.origin, r.origin_seq) == (origin, origin_seq))
        return next((r.digest for r in same if _said(r) == row), b"")

    def _row_at(self, origin: bytes, origin_seq: int) -> tuple[object, ...] | None:
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


def _place(record: EventRecord) -> tuple[int, bytes, int]:
    return record.place
