"""The rows of hash chains: a hash for each event, and that of the newest one in the hot row."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.chain import BEGINNING, hashes_of, next_hash
from ramax.core.space_write import SpaceWrite
from ramax.storage.events import read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import clipped, lineage_of
from ramax.storage.plan import Extra
from ramax.storage.sql import Statement, beside
from ramax.storage.tables import Tables


@Statement
def insert_hash(t: Tables) -> sa.Insert:
    """The hash of a new event."""
    return sa.insert(t.event_hashes).values(
        space_id=p("space_id"), space_sequence=p("sequence"), hash=p("hash")
    )


@Statement
def _replace_hash(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    new = insert(t.event_hashes).values(
        space_id=p("space_id"), space_sequence=p("sequence"), hash=p("hash")
    )
    return new.on_conflict_do_update(
        index_elements=["space_id", "space_sequence"], set_={"hash": new.excluded.hash}
    )


@Statement
def set_head(t: Tables) -> sa.Update:
    """Note the newest hash, or with NULL that there is no chain."""
    q = t.space_sequences
    return sa.update(q).where(q.c.space_id == p("space_id")).values(head_hash=p("head"))


@Statement
def _delete_hashes(t: Tables) -> sa.Delete:
    return sa.delete(t.event_hashes).where(t.event_hashes.c.space_id == p("space_id"))


@Statement
def hashes_page(t: Tables) -> sa.Select[Any]:
    """Hashes of a space by sequence."""
    h = t.event_hashes.c
    return (
        sa.select(h.space_sequence, h.hash)
        .where(
            h.space_id == p("space_id"),
            h.space_sequence > p("after"),
            h.space_sequence <= p("upto"),
        )
        .order_by(h.space_sequence)
    )


@Statement
def _head(t: Tables) -> sa.Select[Any]:
    """The newest hash as the hot row says, and as the newest event's row does: one moment."""
    q, h = t.space_sequences, t.event_hashes
    newest = (h.c.space_id == q.c.space_id) & (h.c.space_sequence == q.c.last_sequence)
    source, its = beside(t, q, h, newest, outer=True)
    return (
        sa.select(q.c.last_sequence, q.c.head_hash, its.c.hash)
        .select_from(source)
        .where(q.c.space_id == p("space_id"))
    )


def hash_rows(write: SpaceWrite) -> list[Extra]:
    """Return what the events of a write add to the chain of their space; nothing without one."""
    head = write.guard.head_hash
    if head is None or not write.events:
        return []
    space_id = write.space_id
    hashes = write.hashes = hashes_of(head, write.events)
    rows = [
        {"space_id": space_id, "sequence": event.sequence, "hash": value}
        for event, value in zip(write.events, hashes, strict=True)
    ]
    return [
        Extra(insert_hash, rows),
        Extra(set_head, [{"space_id": space_id, "head": hashes[-1]}]),
    ]


def hash_page(
    ex: Executor, space_id: int, after: int, previous: bytes, limit: int
) -> tuple[int, bytes]:
    """Hash the stored events after a sequence anew; return the last sequence and its hash.

    Args:
        previous: The hash of the event ``after``.
    """
    rows = read_page(ex, space_id, after=after, limit=limit)
    hashes = []
    for row in rows:
        previous = hash_of(previous, row)
        hashes.append({"space_id": space_id, "sequence": row[2], "hash": previous})
    if hashes:
        ex.run_many(_replace_hash, hashes)
        after = rows[-1][2]
    return after, previous


def hash_of(previous: bytes, row: Row) -> bytes:
    """Return the hash of an event as it is stored: a row of `read_page`."""
    return next_hash(previous, list(row[2:13]))


def read_hashes(ex: Executor, space_id: int, *, after: int, upto: int) -> dict[int, bytes]:
    """Read the hashes with after < sequence <= upto, by sequence."""
    parts = clipped(lineage_of(ex, space_id)[:-1], after, upto)
    # a fork whose parent has no chain may have hashes of the parent's events as its own
    found = [part._asdict() for part in parts]
    found.append({"space_id": space_id, "after": after, "upto": upto})
    return {s: bytes(value) for part in found for s, value in ex.rows(hashes_page, part)}


def read_head(ex: Executor, space_id: int) -> tuple[int, bytes | None, bytes | None] | None:
    """Read the newest sequence, its hash as the hot row says, and as its own row does.

    None if there is no such space. Without a chain the hot row has no hash.
    """
    rows = ex.rows(_head, {"space_id": space_id})
    if not rows:
        return None
    sequence, head, newest = rows[0]
    if newest is None and lineage_of(ex, space_id):
        newest = read_hashes(ex, space_id, after=sequence - 1, upto=sequence).get(sequence)
    return sequence, head, BEGINNING if sequence == 0 else newest


def write_head(ex: Executor, space_id: int, head: bytes | None) -> None:
    """Set the newest hash of a space, which the caller has locked; None ends the chain."""
    ex.run(set_head, {"space_id": space_id, "head": head})


def delete_hashes(ex: Executor, space_id: int) -> None:
    """Delete every hash of a space."""
    ex.run(_delete_hashes, {"space_id": space_id})


def extend(ex: Executor, space_id: int, page: int) -> None:
    """Hash the events that were written past the writer, where the space has a chain.

    The caller has the lock, and has moved the guard to the last of them.
    """
    last, previous, _ = read_head(ex, space_id) or (0, None, None)
    if previous is None:
        return
    after = _hashed(ex, space_id, last)
    while after < last:
        after, previous = hash_page(ex, space_id, after, previous, page)
    write_head(ex, space_id, previous)


@Statement
def _newest(t: Tables) -> sa.Select[Any]:
    h = t.event_hashes.c
    return sa.select(sa.func.max(h.space_sequence)).where(
        h.space_id == p("space_id"), h.space_sequence <= p("upto")
    )


def _hashed(ex: Executor, space_id: int, upto: int) -> int:
    segments = clipped(lineage_of(ex, space_id), 0, upto)[::-1] or ((space_id, 0, upto),)
    for owner, _, end in segments:
        rows: Sequence[Row] = ex.rows(_newest, {"space_id": owner, "upto": end})
        if rows[0][0] is not None:
            return int(rows[0][0])
    return 0
