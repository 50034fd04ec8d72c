"""Records of other replicas that a space does not take, kept aside: its vector knows none."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.datatypes.replica import entity_of
from ramax.core.sync.record import DISCARDED, EventRecord
from ramax.core.sync.wire import pack_record, unpack_record
from ramax.storage.executors import Executor
from ramax.storage.runs import read_vector
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

MOST_RECORDS = 1000
"""Of a space; those that come later are not kept, and stay with whoever sent them."""

MOST_BYTES = 64 << 20
"""Of a space, all records together."""


class Kept(NamedTuple):
    """What is known of a record without reading it; ``refused_at`` in UTC µs."""

    origin: bytes
    origin_seq: int
    uid: bytes
    code: str
    reason: str
    refused_at: int
    size: int


@Statement
def _list(t: Tables) -> sa.Select[Any]:
    c = t.quarantine.c
    size = sa.func.length(c.record)
    return (
        sa.select(c.origin, c.origin_seq, c.uid, c.code, c.reason, c.refused_at, size)
        .where(c.space_id == p("space_id"))
        .order_by(c.origin, c.origin_seq)
    )


@Statement
def _records(t: Tables) -> sa.Select[Any]:
    c = t.quarantine.c
    return (
        sa.select(c.record)
        .where(c.space_id == p("space_id"), c.origin == p("of"))
        .order_by(c.origin_seq)
    )


@Statement
def _put(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    names = ("origin", "origin_seq", "uid", "record", "code", "reason", "refused_at")
    new = insert(t.quarantine).values(space_id=p("space_id"), **{name: p(name) for name in names})
    return new.on_conflict_do_update(
        index_elements=["space_id", "origin", "origin_seq"],
        set_={name: new.excluded[name] for name in ("uid", "record", "code", "reason")},
    )


@Statement
def _remove(t: Tables) -> sa.Delete:
    c = t.quarantine.c
    return sa.delete(t.quarantine).where(
        c.space_id == p("space_id"), c.origin == p("of"), c.origin_seq <= p("upto")
    )


@Statement
def _discarded(t: Tables) -> sa.Select[Any]:
    e = t.events.c
    return (
        sa.select(e.space_sequence)
        .where(
            e.space_id == p("space_id"),
            e.entity_id == p("entity_id"),
            e.event_type == sa.literal_column(f"'{DISCARDED}'"),
        )
        .limit(1)
    )


def listed(ex: Executor, space_id: int) -> list[Kept]:
    """Return what a space keeps aside, by origin and sequence."""
    return [
        Kept(bytes(origin), seq, bytes(uid), *rest)
        for origin, seq, uid, *rest in ex.rows(_list, {"space_id": space_id})
    ]


def records(ex: Executor, space_id: int, origin: bytes) -> list[EventRecord]:
    """Return the records of an origin that are kept aside, in order."""
    rows = ex.rows(_records, {"space_id": space_id, "of": origin})
    return [unpack_record(bytes(row[0])) for row in rows]


def read_discarded(ex: Executor, space_id: int, uids: Collection[bytes]) -> frozenset[bytes]:
    """Return those of these records that the log says are to be left out."""
    return frozenset(
        uid
        for uid in uids
        if ex.rows(_discarded, {"space_id": space_id, "entity_id": entity_of(uid)})
    )


def settle(
    ex: Executor,
    space_id: int,
    refused: Sequence[tuple[EventRecord, str, str]],
    now: int,
) -> None:
    """Forget what the vector knows, and keep what was refused, as far as there is room.

    The caller holds the lock of the space.

    Args:
        refused: Records with code and reason, in the order in which they are to be kept.
    """
    vector = read_vector(ex, space_id)
    there = {(each.origin, each.origin_seq): each for each in listed(ex, space_id)}
    for origin in {origin for origin, _ in there}:
        ex.run(_remove, {"space_id": space_id, "of": origin, "upto": vector.get(origin, 0)})
    kept = {at: each for at, each in there.items() if at[1] > vector.get(at[0], 0)}
    room, places = MOST_BYTES - sum(each.size for each in kept.values()), MOST_RECORDS - len(kept)
    for record, code, reason in refused:
        at = (record.origin, record.origin_seq)
        before = kept.get(at)
        if before is not None and (before.uid, before.code) == (record.uid, code):
            continue
        packed = pack_record(record)
        room -= len(packed) - (before.size if before else 0)
        places -= before is None
        if at[1] <= vector.get(at[0], 0) or room < 0 or places < 0:
            return  # what follows would only be kept in the wrong order
        row = {"origin": record.origin, "origin_seq": record.origin_seq, "uid": record.uid}
        why = {"record": packed, "code": code, "reason": reason, "refused_at": now}
        ex.run(_put, {"space_id": space_id} | row | why)
