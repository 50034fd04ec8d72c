"""Where the events of replicated spaces come from: a row beside each event, and nowhere else."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY

from ramax.core.codec import decode
from ramax.core.datatypes.replica import REPLICA
from ramax.core.space_write import SpaceWrite
from ramax.core.sync.head import Place, ReplicaHead
from ramax.core.sync.record import DISCARDED, REFUSED, EventRecord, digest_of
from ramax.core.sync.wire import unpack_record
from ramax.storage.events import event_columns
from ramax.storage.executors import Executor, Row
from ramax.storage.plan import Extra
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement, opaque
from ramax.storage.tables import Tables

_COLUMNS = (
    "space_id",
    "space_sequence",
    "uid",
    "origin",
    "origin_seq",
    "stamp",
    "late",
    "causation",
)


@Statement
def insert_place(t: Tables) -> sa.Insert:
    """The side row of a new event."""
    return sa.insert(t.event_origins).values({name: p(name) for name in _COLUMNS})


@Statement
def _set_head(t: Tables) -> sa.Update:
    q = t.space_sequences
    return sa.update(q).where(q.c.space_id == p("space_id")).values(replica_head=p("replica_head"))


@Statement
def _set_cause(t: Tables) -> sa.Update:
    """Let an event know its cause, which may have come with it."""
    e, o = t.events, t.event_origins
    cause, of_cause = e.alias("cause"), o.alias("of_cause")
    found = (
        sa.select(cause.c.event_id)
        .select_from(
            o.join(
                of_cause,
                (of_cause.c.space_id == opaque(o.c.space_id)) & (of_cause.c.uid == o.c.causation),
            ).join(cause, _same(cause, of_cause))
        )
        .where(o.c.space_id == p("space_id"), o.c.space_sequence == p("sequence"))
        .scalar_subquery()
    )
    return (
        sa.update(e)
        .where(e.c.space_id == p("space_id"), e.c.space_sequence == p("sequence"))
        .values(causation_id=found)
    )


@Statement
def next_origin(t: Tables) -> sa.Select[Any]:
    """The first origin after one; who asks again and again finds all of them."""
    o = t.event_origins.c
    return (
        sa.select(o.origin)
        .where(o.space_id == p("space_id"), o.origin > p("after"))
        .order_by(o.origin)
        .limit(1)
    )


@Statement
def newest_of(t: Tables) -> sa.Select[Any]:
    """The number and the stamp of the newest event of an origin."""
    o = t.event_origins.c
    return (
        sa.select(o.origin_seq, o.stamp)
        .where(o.space_id == p("space_id"), o.origin == p("origin"))
        .order_by(o.origin_seq.desc())
        .limit(1)
    )


@Statement
def _move_origin(t: Tables) -> sa.Update:
    o = t.event_origins
    return (
        sa.update(o)
        .where(
            o.c.space_id == p("space_id"),
            o.c.origin == p("old"),
            o.c.origin_seq > p("before"),
        )
        .values(origin=p("new"), origin_seq=o.c.origin_seq - p("before"))
    )


@Statement
def _direct(t: Tables) -> sa.Select[Any]:
    """A key that no event wrote."""
    s = t.pstate.c
    return (
        sa.select(s.key)
        .where(s.space_id == p("space_id"), s.direct == sa.literal_column("1"))
        .limit(1)
    )


@Statement
def _fold_anew(t: Tables) -> sa.Update:
    c = t.checkpoints
    return (
        sa.update(c)
        .where(c.c.space_id == p("space"), c.c.name == sa.literal_column(f"'{PSTATE}'"))
        .values(last_event_id=0, last_space_sequence=0)
    )


@Statement
def _first_is_late(t: Tables) -> sa.Update:
    o = t.event_origins
    return (
        sa.update(o)
        .where(o.c.space_id == p("space"), o.c.space_sequence == 1)
        .values(late=sa.literal_column("1"))
    )


def _left_out(t: Tables) -> sa.ColumnElement[bool]:
    """Whether an event is of those that were discarded, as far as the log goes up to ``upto``."""
    d, uid = t.events.alias("discarded"), t.event_origins.c.uid
    in_hex = (
        sa.func.encode(uid, sa.literal_column("'hex'"))
        if t.dialect == "postgresql"
        else sa.func.lower(sa.func.hex(uid))
    )
    first = len(REPLICA.id_of("")) + 1
    return in_hex.in_(
        sa.select(sa.func.substr(d.c.entity_id, sa.literal_column(str(first)))).where(
            d.c.space_id == p("space_id"),
            d.c.entity_id >= sa.literal_column(f"'{REPLICA.id_of('')}'"),
            d.c.entity_id < sa.literal_column(f"'{REPLICA.id_of('g')}'"),
            d.c.event_type == sa.literal_column(f"'{DISCARDED}'"),
            d.c.space_sequence <= p("upto"),
        )
    )


def _to_fold(t: Tables) -> list[sa.ColumnElement[Any]]:
    """The columns of events, of which those that were discarded are of a type that does nothing."""
    kind = t.events.c.event_type
    refused = sa.literal_column(f"'{REFUSED}'", kind.type)
    return [
        sa.case((_left_out(t), refused), else_=kind) if each is kind else each
        for each in event_columns(t)
    ]


def _same(found: sa.FromClause, given: sa.FromClause) -> sa.ColumnElement[bool]:
    """Say that a row that is searched for is of the same event as one that there is."""
    return sa.and_(
        found.c.space_id == opaque(given.c.space_id),
        found.c.space_sequence == given.c.space_sequence,
    )


def _recorded(t: Tables) -> sa.Select[Any]:
    """Events with their side rows and the uid of their cause, where that is of the space."""
    e, o = t.events, t.event_origins
    cause, of_cause = e.alias("cause"), o.alias("of_cause")
    return sa.select(
        *event_columns(t),
        o.c.uid,
        o.c.origin,
        o.c.origin_seq,
        o.c.stamp,
        sa.func.coalesce(o.c.causation, of_cause.c.uid),
    ).select_from(
        o.join(e, _same(e, o))
        .outerjoin(
            cause,
            (cause.c.event_id == e.c.causation_id) & (opaque(cause.c.space_id) == e.c.space_id),
        )
        .outerjoin(of_cause, _same(of_cause, cause))
    )


@Statement
def records_page(t: Tables) -> sa.Select[Any]:
    """Events of one origin after a sequence of it."""
    o = t.event_origins.c
    return (
        _recorded(t)
        .where(o.space_id == p("space_id"), o.origin == p("origin"), o.origin_seq > p("after"))
        .order_by(o.origin_seq)
        .limit(p("limit", type_=sa.BigInteger()))
    )


@Statement
def canonical_page(t: Tables) -> sa.Select[Any]:
    """Events in the canonical order, up to a sequence of the space, after a place of that order."""
    e, o = t.events, t.event_origins
    place = sa.tuple_(o.c.stamp, o.c.origin, o.c.origin_seq)
    after = sa.tuple_(
        p("stamp", type_=o.c.stamp.type),
        p("origin", type_=o.c.origin.type),
        p("origin_seq", type_=o.c.origin_seq.type),
    )
    return (
        sa.select(*_to_fold(t), o.c.stamp, o.c.origin, o.c.origin_seq)
        .select_from(o.join(e, _same(e, o)))
        .where(
            o.c.space_id == p("space_id"),
            o.c.stamp >= p("stamp"),
            place > after,
            o.c.space_sequence <= p("upto"),
        )
        .order_by(o.c.stamp, o.c.origin, o.c.origin_seq)
        .limit(p("limit", type_=sa.BigInteger()))
    )


@Statement
def entity_in_order(t: Tables) -> sa.Select[Any]:
    """Events of an entity up to a sequence of the space, in the canonical order, with stamps."""
    e, o = t.events, t.event_origins
    return (
        sa.select(*_to_fold(t), o.c.stamp)
        .select_from(
            e.outerjoin(  # each has one; so it is the entity that is searched for, not the space
                o, _same(o, e)
            )
        )
        .where(
            e.c.space_id == p("space_id"),
            e.c.entity_id == p("entity_id"),
            e.c.space_sequence <= p("upto"),
        )
        .order_by(o.c.stamp, o.c.origin, o.c.origin_seq)
        .limit(p("limit", type_=sa.BigInteger()))
    )


@Statement
def late(t: Tables) -> sa.Select[Any]:
    """The sequences of late events in a part of the log."""
    o = t.event_origins.c
    return (
        sa.select(o.space_sequence)
        .where(
            o.space_id == p("space_id"),
            o.space_sequence > p("after"),
            o.space_sequence <= p("upto"),
            o.late == sa.literal_column("1"),
        )
        .order_by(o.space_sequence)
    )


@Statement
def _late_types(t: Tables) -> sa.Select[Any]:
    """The types of late events in a part of the log, and of those by which others are left out."""
    e, o = t.events.c, t.event_origins.c
    return (
        sa.select(e.event_type)
        .distinct()
        .select_from(t.event_origins.join(t.events, _same(t.events, t.event_origins)))
        .where(
            o.space_id == p("space_id"),
            o.space_sequence > p("after"),
            o.space_sequence <= p("upto"),
            (o.late == sa.literal_column("1"))
            | (e.event_type == sa.literal_column(f"'{DISCARDED}'")),
        )
    )


@Statement
def _stamps(t: Tables) -> sa.Select[Any]:
    o = t.event_origins.c
    return sa.select(o.space_sequence, o.stamp, _left_out(t)).where(
        o.space_id == p("space_id"),
        o.space_sequence > p("after"),
        o.space_sequence <= p("upto"),
    )


def _ids(t: Tables) -> sa.Select[Any]:
    e, o = t.events, t.event_origins
    return (
        sa.select(o.c.uid, e.c.event_id)
        .select_from(o.join(e, _same(e, o)))
        .where(o.c.space_id == p("space_id"))
    )


@Statement
def id_of(t: Tables) -> sa.Select[Any]:
    """The id of the event that the replicas know by a uid."""
    return _ids(t).where(t.event_origins.c.uid == p("uid"))


@Statement
def _ids_of(t: Tables) -> sa.Select[Any]:
    """The ids of the events that the replicas know by uids (PostgreSQL)."""
    uids = sa.bindparam("uids", type_=ARRAY(sa.LargeBinary()))
    return _ids(t).where(t.event_origins.c.uid == sa.func.any(uids))


@Statement
def _without_place(t: Tables) -> sa.Select[Any]:
    """Sequences and times of events that have no side row yet."""
    e, o = t.events, t.event_origins
    given = sa.select(o.c.space_sequence).where(_same(o, e)).exists()
    return (
        sa.select(e.c.space_sequence, e.c.timestamp, e.c.format)
        .where(e.c.space_id == p("space_id"), e.c.space_sequence > p("after"), ~given)
        .order_by(e.c.space_sequence)
        .limit(p("limit", type_=sa.BigInteger()))
    )


def origin_rows(writes: Iterable[SpaceWrite]) -> list[Extra]:
    """Return the side rows of what is written to replicated spaces; nothing for others."""
    places: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    caused: list[dict[str, Any]] = []
    for write in writes:
        if write.replica is None or not write.events:
            continue
        found = [(row.sequence, write.places[row.sequence]) for row in write.events]
        places += [_row(write.space_id, sequence, place) for sequence, place in found]
        heads.append({"space_id": write.space_id, "replica_head": write.replica})
        if write.guard.head_hash is None:  # else a hash covers that it had none
            caused += [
                {"space_id": write.space_id, "sequence": sequence}
                for sequence, place in found
                if place.causation is not None
            ]
    rows = [(insert_place, places), (_set_head, heads), (_set_cause, caused)]
    return [Extra(statement, found) for statement, found in rows if found]


def _row(space_id: int, sequence: int, place: Place) -> dict[str, Any]:
    return {
        "space_id": space_id,
        "space_sequence": sequence,
        "uid": place.uid,
        "origin": place.origin,
        "origin_seq": place.origin_seq,
        "stamp": place.stamp,
        "late": int(place.late),
        "causation": place.causation,
    }


def write_places(ex: Executor, space_id: int, places: Mapping[int, Place]) -> None:
    """Write side rows of events that are there already, by sequence."""
    ex.run_many(insert_place, [_row(space_id, n, place) for n, place in places.items()])


def write_replica_head(ex: Executor, space_id: int, head: ReplicaHead) -> None:
    """Set where the log of a space is as a replica's; the caller holds its lock."""
    ex.run(_set_head, {"space_id": space_id, "replica_head": head.pack()})


def read_without_place(ex: Executor, space_id: int, *, after: int, limit: int) -> Sequence[Row]:
    """Read (sequence, timestamp, format) of events without a side row, in order."""
    return ex.rows(_without_place, {"space_id": space_id, "after": after, "limit": limit})


def read_direct(ex: Executor, space_id: int) -> str | None:
    """Read a key that no event wrote, if there is one."""
    rows = ex.rows(_direct, {"space_id": space_id})
    return rows[0][0] if rows else None


def fold_anew(ex: Executor, space_id: int) -> None:
    """Let the pstate be folded again from the first event, which counts as late."""
    ex.run(_first_is_late, {"space": space_id})
    ex.run(_fold_anew, {"space": space_id})


def read_newest(ex: Executor, space_id: int, origin: bytes) -> tuple[int, int]:
    """Read (origin_seq, stamp) of the newest event of an origin; zeros where it has none."""
    rows = ex.rows(newest_of, {"space_id": space_id, "origin": origin})
    return (rows[0][0], rows[0][1]) if rows else (0, 0)


def move_origin(ex: Executor, space_id: int, origin: bytes, first: int, to: bytes) -> int:
    """Give the events of an origin from ``first`` on to another one, as 1, 2, 3 …; count them."""
    params = {"space_id": space_id, "old": origin, "new": to, "before": first - 1}
    return ex.run(_move_origin, params)


def read_vector(ex: Executor, space_id: int) -> dict[bytes, int]:
    """Read the newest sequence of every origin: two short searches for each."""
    vector: dict[bytes, int] = {}
    after = b""
    while rows := ex.rows(next_origin, {"space_id": space_id, "after": after}):
        after = bytes(rows[0][0])
        newest = ex.rows(newest_of, {"space_id": space_id, "origin": after})
        vector[after] = newest[0][0]
    return vector


def as_record(row: Row) -> EventRecord:
    """Make a record of a row of `records_page`; one that was refused is what it was."""
    (_, _, _, entity_id, event_type, payload, format_, micros, _, correlation, *rest) = row
    metadata, version, tags, uid, origin, origin_seq, stamp, causation = rest
    if event_type == REFUSED:
        return unpack_record(decode(bytes(payload))["record"])
    said = (
        bytes(uid),
        bytes(origin),
        origin_seq,
        stamp,
        event_type,
        entity_id,
        bytes(payload),
        format_,
        micros,
        version,
        None if causation is None else bytes(causation),
        correlation,
        None if metadata is None else bytes(metadata),
        None if tags is None else bytes(tags),
    )
    return EventRecord(*said, digest_of(*said))


def read_record(ex: Executor, space_id: int, origin: bytes, origin_seq: int) -> EventRecord | None:
    """Read one event of an origin as replicas exchange it, or None."""
    rows = read_records(ex, space_id, origin, after=origin_seq - 1, limit=1)
    found = as_record(rows[0]) if rows else None
    return found if found and found.origin_seq == origin_seq else None


def read_records(
    ex: Executor, space_id: int, origin: bytes, *, after: int, limit: int
) -> Sequence[Row]:
    """Read events of an origin with after < origin_seq: see `_recorded` for the columns."""
    return ex.rows(
        records_page, {"space_id": space_id, "origin": origin, "after": after, "limit": limit}
    )


BEGINNING: tuple[int, bytes, int] = (0, b"", 0)
"""Before every place of the canonical order."""


def read_canonical_page(
    ex: Executor, space_id: int, *, after: tuple[int, bytes, int], upto: int, limit: int
) -> Sequence[Row]:
    """Read rows of a page of events and the place of each, in the canonical order."""
    stamp, origin, origin_seq = after
    return ex.rows(
        canonical_page,
        {
            "space_id": space_id,
            "stamp": stamp,
            "origin": origin,
            "origin_seq": origin_seq,
            "upto": upto,
            "limit": limit,
        },
    )


def read_entity_in_order(
    ex: Executor, space_id: int, entity_id: str, *, upto: int, limit: int
) -> Sequence[Row]:
    """Read the first events of an entity with sequence <= upto in the canonical order.

    The stamp of each follows the columns of its row.
    """
    params = {"space_id": space_id, "entity_id": entity_id, "upto": upto, "limit": limit}
    return ex.rows(entity_in_order, params)


def read_late(ex: Executor, space_id: int, *, after: int, upto: int) -> list[int]:
    """Read the sequences of late events with after < sequence <= upto."""
    rows = ex.rows(late, {"space_id": space_id, "after": after, "upto": upto})
    return [row[0] for row in rows]


def read_late_types(ex: Executor, space_id: int, *, after: int, upto: int) -> frozenset[str]:
    """Read the types of late events with after < sequence <= upto, and whether one discards."""
    rows = ex.rows(_late_types, {"space_id": space_id, "after": after, "upto": upto})
    return frozenset(row[0] for row in rows)


def read_stamps(
    ex: Executor, space_id: int, *, after: int, upto: int
) -> dict[int, tuple[int, bool]]:
    """Read, by sequence, the stamps of events, and whether they are left out when they fold.

    Of those with after < sequence <= upto.
    """
    rows = ex.rows(_stamps, {"space_id": space_id, "after": after, "upto": upto})
    return {sequence: (stamp, bool(out)) for sequence, stamp, out in rows}


def read_ids_of(ex: Executor, space_id: int, uids: Collection[bytes]) -> dict[bytes, int]:
    """Read the ids of those events that the replicas know by uids, by uid."""
    if ex.tables.dialect == "postgresql":
        rows = ex.rows(_ids_of, {"space_id": space_id, "uids": list(uids)}) if uids else ()
    else:
        rows = [row for uid in uids for row in ex.rows(id_of, {"space_id": space_id, "uid": uid})]
    return {bytes(uid): event_id for uid, event_id in rows}


@Statement
def first_late(t: Tables) -> sa.Select[Any]:
    """The first event of a log that came late; the very first only counts as such."""
    o = t.event_origins.c
    mine = (o.space_id == p("space_id")) & (o.space_sequence > sa.literal_column("1"))
    late = o.late == sa.literal_column("1")
    return sa.select(o.space_sequence).where(mine, late).order_by(o.space_sequence).limit(1)


def read_first_late(ex: Executor, space_id: int) -> int | None:
    """Read the sequence of the first late event of a space; None where there is none."""
    rows = ex.rows(first_late, {"space_id": space_id})
    return int(rows[0][0]) if rows else None
