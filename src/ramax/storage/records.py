"""Reading events as replicas exchange them, and finding those that replicas speak of."""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY

from ramax.core.codec import decode
from ramax.core.datatypes.replica import REPLICA
from ramax.core.sync.record import DISCARDED, REFUSED, EventRecord, digest_of
from ramax.core.sync.runs import Run, seq_of
from ramax.core.sync.wire import unpack_record
from ramax.storage.events import FOREVER, event_columns, space_page
from ramax.storage.executors import Executor, Row
from ramax.storage.runs import Part, as_run, read_late_parts, read_newest, read_parts, with_run
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import Tables

_SEQUENCE, _CAUSATION = 2, 8
"""Of a row of an event."""

_MOST = 1 << 40


@Statement
def events_in(t: Tables) -> sa.Select[Any]:
    """The events of parts of a log (PostgreSQL)."""
    e, w = t.events, unnest("w", first=sa.BigInteger(), last=sa.BigInteger())
    part = (
        sa.select(*event_columns(t))
        .where(
            e.c.space_id == p("space_id"),
            e.c.space_sequence >= w.c.first,
            e.c.space_sequence <= w.c.last,
        )
        .limit(p("limit", type_=sa.BigInteger()))  # keeps it apart, whatever the planner thinks
        .lateral("part")
    )
    found = sa.select(*part.c).select_from(w.join(part, sa.true()))
    return found.order_by(part.c.space_sequence)


@Statement
def types_between(t: Tables) -> sa.Select[Any]:
    """The types of the events of a part of the log."""
    e = t.events.c
    return (
        sa.select(e.event_type)
        .distinct()
        .where(
            e.space_id == p("space_id"),
            e.space_sequence >= p("first"),
            e.space_sequence <= p("last"),
        )
    )


@Statement
def types_in(t: Tables) -> sa.Select[Any]:
    """The types of the events of parts of the log (PostgreSQL)."""
    e, w = t.events.c, unnest("w", first=sa.BigInteger(), last=sa.BigInteger())
    part = (
        sa.select(e.event_type)
        .where(
            e.space_id == p("space_id"),
            e.space_sequence >= w.c.first,
            e.space_sequence <= w.c.last,
        )
        .limit(p("limit", type_=sa.BigInteger()))
        .lateral("part")
    )
    return sa.select(part.c.event_type).distinct().select_from(w.join(part, sa.true()))


@Statement
def discarding_events(t: Tables) -> sa.Select[Any]:
    """What the events of a part of the log are about that discard a record."""
    e = t.events.c
    return sa.select(e.entity_id).where(
        e.space_id == p("space_id"),
        e.entity_id >= sa.literal_column(f"'{REPLICA.id_of('')}'"),
        e.entity_id < sa.literal_column(f"'{REPLICA.id_of('g')}'"),
        e.event_type == sa.literal_column(f"'{DISCARDED}'"),
        e.space_sequence > p("after"),
        e.space_sequence <= p("upto"),
    )


def _with_run(t: Tables) -> sa.Select[Any]:
    e = t.events.c
    return with_run(t, e.event_id, e.space_sequence).where(e.space_id == p("space_id"))


@Statement
def run_of_id(t: Tables) -> sa.Select[Any]:
    """The run of an event of which the id is known."""
    return _with_run(t).where(t.events.c.event_id == p("event_id"))


@Statement
def _runs_of_ids(t: Tables) -> sa.Select[Any]:
    """The runs of events of which the ids are known (PostgreSQL)."""
    ids = sa.bindparam("event_ids", type_=ARRAY(sa.BigInteger()))
    return _with_run(t).where(t.events.c.event_id == sa.func.any(ids))


def _given(t: Tables) -> sa.Select[Any]:
    o = t.event_origins.c
    return sa.select(o.uid, o.space_sequence).where(o.space_id == p("space_id"))


@Statement
def given_uid(t: Tables) -> sa.Select[Any]:
    """The event that was given a uid."""
    return _given(t).where(t.event_origins.c.uid == p("uid"))


@Statement
def _given_uids(t: Tables) -> sa.Select[Any]:
    """The events that were given uids (PostgreSQL)."""
    uids = sa.bindparam("uids", type_=ARRAY(sa.LargeBinary()))
    return _given(t).where(t.event_origins.c.uid == sa.func.any(uids))


def _ids(t: Tables) -> sa.Select[Any]:
    e = t.events.c
    return sa.select(e.space_sequence, e.event_id).where(e.space_id == p("space_id"))


@Statement
def _id_at(t: Tables) -> sa.Select[Any]:
    return _ids(t).where(t.events.c.space_sequence == p("sequence"))


@Statement
def _ids_at(t: Tables) -> sa.Select[Any]:
    """The ids of the events at sequences (PostgreSQL)."""
    sequences = sa.bindparam("sequences", type_=ARRAY(sa.BigInteger()))
    return _ids(t).where(t.events.c.space_sequence == sa.func.any(sequences))


def _each(
    ex: Executor, by: tuple[Statement, Statement, str], space_id: int, values: Collection[Any]
) -> Sequence[Row]:
    """Run a statement for values: one after another, or at once where that is a round trip."""
    one, all_, name = by
    if not values:
        return ()
    if ex.tables.dialect == "postgresql":
        return ex.rows(all_, {"space_id": space_id, f"{name}s": list(values)})
    return [row for value in values for row in ex.rows(one, {"space_id": space_id, name: value})]


def read_parted(ex: Executor, space_id: int, parts: Sequence[Part]) -> list[tuple[Run, Row]]:
    """Read the events of parts, in the order of these, each with its run."""
    joined = _joined(((first, last) for _, first, last in parts), _NEAR)
    if len(joined) > 1 and ex.tables.dialect == "postgresql":
        rows = list(ex.rows(events_in, _arrays(space_id, joined)))
    else:
        rows = [
            row
            for first, last in joined
            for row in ex.rows(
                space_page,
                {"space_id": space_id, "after": first - 1, "upto": last, "limit": last - first + 1},
            )
        ]
    found = {row[_SEQUENCE]: row for row in rows}
    return [(run, found[each]) for run, first, last in parts for each in range(first, last + 1)]


def read_late_types(ex: Executor, space_id: int, *, after: int, upto: int) -> frozenset[str]:
    """Read the types of late events with after < sequence <= upto, and whether one discards."""
    discarding = {DISCARDED} if read_discarded(ex, space_id, after=after, upto=upto) else set()
    parts = _joined(read_late_parts(ex, space_id, after=after, upto=upto))
    if len(parts) > 1 and ex.tables.dialect == "postgresql":
        rows = list(ex.rows(types_in, _arrays(space_id, parts)))
    else:
        rows = [
            row
            for first, last in parts
            for row in ex.rows(types_between, {"space_id": space_id, "first": first, "last": last})
        ]
    return frozenset(discarding.union(row[0] for row in rows))


def read_discarded(ex: Executor, space_id: int, *, upto: int, after: int = 0) -> list[bytes]:
    """Read the uids of records that events with after < sequence <= upto say to leave out."""
    rows = ex.rows(discarding_events, {"space_id": space_id, "after": after, "upto": upto})
    return [bytes.fromhex(REPLICA.own_name(row[0])) for row in rows]


def read_left_out(ex: Executor, space_id: int, *, upto: int) -> frozenset[int]:
    """Read the sequences of the events that are left out where the log is folded up to ``upto``."""
    uids = read_discarded(ex, space_id, upto=upto)
    return frozenset(read_sequences_of(ex, space_id, uids).values()) if uids else frozenset()


def read_types(ex: Executor, space_id: int, first: int, last: int) -> frozenset[str]:
    """Read the types of the events with first <= sequence <= last."""
    rows = ex.rows(types_between, {"space_id": space_id, "first": first, "last": last})
    return frozenset(row[0] for row in rows)


def _arrays(space_id: int, parts: Sequence[tuple[int, int]]) -> dict[str, Any]:
    firsts, lasts = [list(each) for each in zip(*parts, strict=True)]
    return {"space_id": space_id, "w_first": firsts, "w_last": lasts, "limit": _MOST}


_NEAR = 4
"""Where so few events are between parts, they are read as well: that costs less than to ask again.
"""


def _joined(parts: Iterable[tuple[int, int]], between: int = 0) -> list[tuple[int, int]]:
    """Join parts that follow each other in the log, or nearly so: with few others between them."""
    found: list[tuple[int, int]] = []
    for first, last in parts:
        if found and 0 < first - found[-1][1] <= between + 1:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def read_records(
    ex: Executor, space_id: int, origin: bytes, *, after: int, limit: int
) -> list[EventRecord]:
    """Read events of an origin with after < origin_seq, up to ``limit``, but at least one."""
    parts = read_parts(ex, space_id, origin, after=after, limit=limit)
    found = read_parted(ex, space_id, parts)
    causes = _uids_of(ex, space_id, {row[_CAUSATION] for _, row in found} - {None})
    return [_as_record(run, row, causes.get(row[_CAUSATION])) for run, row in found]


def _uids_of(ex: Executor, space_id: int, event_ids: Collection[int]) -> dict[int, bytes]:
    """Read the uids of events of the space by their ids; other spaces' have none."""
    rows = _each(ex, (run_of_id, _runs_of_ids, "event_id"), space_id, event_ids)
    return {event_id: as_run(run).uid_at(sequence) for event_id, sequence, *run in rows}


def read_record(ex: Executor, space_id: int, origin: bytes, origin_seq: int) -> EventRecord | None:
    """Read one event of an origin as replicas exchange it, or None."""
    found = read_records(ex, space_id, origin, after=origin_seq - 1, limit=1)
    return found[0] if found else None


def _as_record(run: Run, row: Row, cause: bytes | None) -> EventRecord:
    """Make a record of an event; one that was refused is what it was."""
    (_, _, sequence, entity_id, event_type, payload, format_, micros, _, correlation, *rest) = row
    metadata, version, tags = rest
    if event_type == REFUSED:
        return unpack_record(decode(bytes(payload))["record"])
    said = (
        run.uid_at(sequence),
        run.origin,
        run.seq_at(sequence),
        run.stamp_at(sequence, micros),
        event_type,
        entity_id,
        bytes(payload),
        format_,
        micros,
        version,
        run.causation or cause,
        correlation,
        None if metadata is None else bytes(metadata),
        None if tags is None else bytes(tags),
    )
    return EventRecord(*said, digest_of(*said))


def read_sequences_of(ex: Executor, space_id: int, uids: Collection[bytes]) -> dict[bytes, int]:
    """Read where in the log those events are that replicas know by uids, by uid."""
    if not uids:
        return {}
    rows = _each(ex, (given_uid, _given_uids, "uid"), space_id, uids)
    found = {bytes(uid): sequence for uid, sequence in rows}
    known = read_newest(ex, space_id)
    wanted = sorted(
        (origin, seq, uid)
        for origin, newest in known.items()
        for uid in uids
        if uid not in found and (seq := seq_of(uid, origin)) and seq <= newest.origin_seq
    )
    for origin, group in groupby(wanted, key=lambda each: each[0]):
        parts: list[Part] = []
        for _, seq, uid in group:
            if not parts or not _has(parts[-1], seq):
                parts = read_parts(ex, space_id, origin, after=seq - 1, limit=FOREVER)
            part = next(part for part in parts if _has(part, seq))
            if part.run.uid is None:  # else it has another one
                found[uid] = part.run.sequence + seq - part.run.origin_seq
    return found


def _has(part: Part, seq: int) -> bool:
    return part.run.seq_at(part.first) <= seq <= part.run.seq_at(part.last)


def read_ids_of(ex: Executor, space_id: int, uids: Collection[bytes]) -> dict[bytes, int]:
    """Read the ids of those events that the replicas know by uids, by uid."""
    sequences = read_sequences_of(ex, space_id, uids)
    rows = _each(ex, (_id_at, _ids_at, "sequence"), space_id, {*sequences.values()})
    ids: dict[int, int] = {row[0]: row[1] for row in rows}
    return {uid: ids[sequence] for uid, sequence in sequences.items()}
