"""Taking events of other replicas into the log of a space, as one unit of work of its writer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramax.core.codec import decode, encode
from ramax.core.datatypes.replica import entity_of
from ramax.core.event_row import EventRow
from ramax.core.sync.accepting import accept
from ramax.core.sync.head import ReplicaHead
from ramax.core.sync.placing import Placing
from ramax.core.sync.record import REFUSED, EventRecord
from ramax.core.sync.runs import Newest, Place, uid_of
from ramax.core.sync.vector import Vector, advanced
from ramax.core.sync.wire import pack_record, unpack_record
from ramax.core.unit import SpaceUnit
from ramax.errors import ForkError, GapError, MisuseError
from ramax.runtime.jobs import Groups, WholeLog
from ramax.sync.layer import Refused
from ramax.sync.sorting import Aside, Given, Sorting


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
        placing = unit.placing
        if placing is None:
            raise MisuseError(f"space {unit.space_name!r} is not replicated: enable it first")
        head = placing.head
        newest = _newest(log, placing)
        known = {origin: each.origin_seq for origin, each in newest.items()}
        sorting = Sorting(unit.space_name, newest, self.discarded, now)
        sorting.add_all(self.given)
        believed, self.refused, self.aside = sorting.results()
        if self.gives_way:
            _check_own(unit.space_name, head, known, believed, log)
        for each in believed:
            if each.origin == head.origin and each.origin_seq > head.origin_seq:
                raise ForkError(unit.space_name, each.origin, each.origin_seq)
        new, self.duplicates = accept(
            unit.space_name, believed, known, _Digests(log, unit, placing, believed).at
        )
        self.accepted, self.vector = new, advanced(known, new)
        new.sort(key=sorting.place)
        _check_uids(unit, placing, log, new)
        return [_receive(unit, placing, log, new, sorting.left_out)]


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


def _newest(log: WholeLog, placing: Placing) -> dict[bytes, Newest]:
    """Return the newest of what is stored and of what this unit of work adds to it."""
    newest = dict(log.newest())
    head = placing.head
    for place in placing.places.values():
        newest[place.origin] = Newest(place.origin_seq, place.stamp)
    if head.origin_seq:  # any stamp may follow: if others have more of it, it was restored
        newest[head.origin] = Newest(head.origin_seq, -1)
    return newest


class _Digests:
    """Knows the digests of records that are in the log, or were taken just before these."""

    def __init__(
        self, log: WholeLog, unit: SpaceUnit, placing: Placing, records: Sequence[EventRecord]
    ) -> None:
        self._log, self._unit, self._records = log, unit, records
        self._places = placing.places

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
        for sequence, place in self._places.items():
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


def _check_uids(
    unit: SpaceUnit, placing: Placing, log: WholeLog, new: Sequence[EventRecord]
) -> None:
    """Refuse new records that bear the id of another event.

    Raises:
        ForkError: One does.
    """
    given = [each for each in new if each.uid != uid_of(each.origin, each.origin_seq)]
    if not given:  # what follows from its place is nobody else's
        return
    known = {*log.ids_of([record.uid for record in given])}
    known |= {place.uid for place in placing.places.values()}
    for record in given:
        if record.uid in known:
            raise ForkError(unit.space_name, record.origin, record.origin_seq)
        known.add(record.uid)


def _receive(
    unit: SpaceUnit,
    placing: Placing,
    log: WholeLog,
    new: Sequence[EventRecord],
    left_out: Mapping[bytes, int],
) -> tuple[EventRow, ...]:
    """Add new records with what is known of their causes, here or among them."""
    ids = log.ids_of({each.causation for each in new if each.causation is not None})
    coming = {place.uid: sequence for sequence, place in placing.places.items()}
    coming |= {each.uid: sequence for sequence, each in enumerate(new, unit.head + 1)}
    if unit.guard.head_hash is not None:  # a hash covers that they had none
        coming = {}
    rows, causes, newest = [], {}, placing.head.stamp
    for sequence, record in enumerate(new, unit.head + 1):
        if record.uid in left_out:
            rows.append(_refused_row(record, sequence, left_out[record.uid]))
            continue
        cause = ids.get(record.causation) if record.causation else None
        if cause is None and record.causation in coming:
            causes[sequence] = coming[record.causation]
        unknown = cause is None and sequence not in causes
        rows.append(_row(record, sequence, cause, unknown=unknown, late=record.stamp <= newest))
        newest = max(newest, record.stamp)
    return unit.receive(rows, causes)


def _row(
    record: EventRecord, sequence: int, cause: int | None, *, unknown: bool, late: bool
) -> tuple[EventRow, Place]:
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
    causation = record.causation if unknown else None
    place = Place(record.uid, record.origin, record.origin_seq, record.stamp, late, causation)
    return row, place


def _refused_row(record: EventRecord, sequence: int, stamp: int) -> tuple[EventRow, Place]:
    """Return a row that keeps a record as it came, for others, and that nothing is read from.

    Its own stamp may be any; what is stored of it ascends with those of its origin.
    """
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
    return row, Place(record.uid, record.origin, record.origin_seq, stamp)
