"""Stored copies of a pstate at sequences of the past: a head, and the values in chunks.

The chunks come first, each in a transaction of its own; the head, which makes them count, last.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgpack
import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.codec import decode, encode
from ramax.storage.events import FOREVER
from ramax.storage.executors import Executor
from ramax.storage.lineage import lineage_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import SnapshotInfo, from_micros

CHUNK = 1 << 20
"""Bytes of keys and values after which a chunk is full."""


class Fold(NamedTuple):
    """Whose fold a snapshot is: the versions of its domains, and a hash of them."""

    versions: Mapping[str, int]
    digest: str

    @classmethod
    def of(cls, versions: Mapping[str, int]) -> "Fold":
        """Return the fold of domains of these versions."""
        packed = encode(sorted(versions.items()), "fold versions")
        return cls(versions, hashlib.sha256(packed).hexdigest())


class Stored(NamedTuple):
    """A snapshot that is there."""

    sequence: int
    chunk_count: int
    latest: int


@Statement
def newest(t: Tables) -> sa.Select[Any]:
    """The newest snapshot of a fold up to a sequence and a time."""
    s = t.snapshots.c
    return (
        sa.select(s.space_sequence, s.chunk_count, s.latest)
        .where(
            s.space_id == p("space_id"),
            s.space_sequence <= p("upto"),
            s.fold == p("fold"),
            s.latest <= p("moment"),
        )
        .order_by(s.space_sequence.desc())
        .limit(1)
    )


@Statement
def _of_fold(t: Tables) -> sa.Select[Any]:
    s = t.snapshots.c
    return (
        sa.select(s.space_sequence, s.chunk_count, s.latest)
        .where(s.space_id == p("space_id"), s.fold == p("fold"))
        .order_by(s.space_sequence)
    )


@Statement
def _chunk(t: Tables) -> sa.Select[Any]:
    c = t.snapshot_chunks.c
    return sa.select(c.data).where(
        c.space_id == p("space_id"),
        c.space_sequence == p("sequence"),
        c.fold == p("fold"),
        c.chunk == p("chunk"),
    )


@Statement
def _chunk_count(t: Tables) -> sa.Select[Any]:
    c = t.snapshot_chunks.c
    return sa.select(sa.func.count()).where(
        c.space_id == p("space_id"), c.space_sequence == p("sequence"), c.fold == p("fold")
    )


@Statement
def _put_chunk(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    names = ("space_id", "space_sequence", "fold", "chunk", "data")
    new = insert(t.snapshot_chunks).values({name: p(name) for name in names})
    return new.on_conflict_do_update(
        index_elements=["space_id", "space_sequence", "fold", "chunk"],
        set_={"data": new.excluded.data},
    )


_HEAD = (
    "space_id",
    "space_sequence",
    "fold",
    "domains",
    "latest",
    "key_count",
    "chunk_count",
    "created_at",
)


@Statement
def _put_head(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    new = insert(t.snapshots).values({name: p(name) for name in _HEAD})
    return new.on_conflict_do_update(
        index_elements=["space_id", "space_sequence"],
        set_={name: new.excluded[name] for name in _HEAD[2:]},
    )


@Statement
def _all(t: Tables) -> sa.Select[Any]:
    s = t.snapshots.c
    return (
        sa.select(s.space_sequence, s.domains, s.key_count, s.created_at)
        .where(s.space_id == p("space_id"))
        .order_by(s.space_sequence.desc())
    )


@Statement
def _drop_heads(t: Tables) -> sa.Delete:
    s = t.snapshots.c
    return sa.delete(t.snapshots).where(
        s.space_id == p("space_id"), sa.or_(s.space_sequence < p("below"), s.fold != p("fold"))
    )


@Statement
def _drop_chunks(t: Tables) -> sa.Delete:
    """Delete the chunks that have no head."""
    s, c = t.snapshots.c, t.snapshot_chunks.c
    head = sa.exists().where(
        s.space_id == c.space_id, s.space_sequence == c.space_sequence, s.fold == c.fold
    )
    return sa.delete(t.snapshot_chunks).where(c.space_id == p("space_id"), ~head)


@Statement
def _drop_all_heads(t: Tables) -> sa.Delete:
    return sa.delete(t.snapshots).where(t.snapshots.c.space_id == p("space_id"))


@Statement
def _drop_all_chunks(t: Tables) -> sa.Delete:
    return sa.delete(t.snapshot_chunks).where(t.snapshot_chunks.c.space_id == p("space_id"))


def chunks_of(values: Iterable[tuple[str, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Pack keys and values into chunks of about `CHUNK` bytes; yield the number of keys and it."""
    held: list[str | bytes] = []
    size = 0
    for key, value in values:
        held += (key, value)
        size += len(key) + len(value)
        if size >= CHUNK:
            yield len(held) // 2, msgpack.packb(held)
            held, size = [], 0
    if held:
        yield len(held) // 2, msgpack.packb(held)


def read_newest(
    ex: Executor, space_id: int, fold: Fold, *, upto: int = FOREVER, moment: int = FOREVER
) -> Stored | None:
    """Find the newest snapshot up to a sequence, none of whose events is later than a time."""
    asked = {"fold": fold.digest, "moment": moment}
    found = [
        Stored(*row)
        for owner, end in _owners(ex, space_id, upto)
        for row in ex.rows(newest, asked | {"space_id": owner, "upto": end})
    ]
    return max(found, default=None)


def _owners(ex: Executor, space_id: int, upto: int) -> list[tuple[int, int]]:
    """Whose snapshots up to which sequence are of the log of a space: its own, and older ones."""
    inherited = lineage_of(ex, space_id)[-2::-1]
    return [(space_id, upto), *((part.space_id, min(part.upto, upto)) for part in inherited)]


def read_of_fold(ex: Executor, space_id: int, fold: Fold) -> list[Stored]:
    """Read the snapshots of a fold, oldest first."""
    rows = ex.rows(_of_fold, {"space_id": space_id, "fold": fold.digest})
    return [Stored(*row) for row in rows]


def read_chunk(
    ex: Executor, space_id: int, sequence: int, fold: Fold, chunk: int
) -> dict[str, bytes] | None:
    """Read the keys and values of a chunk; None where somebody dropped it."""
    asked = {"sequence": sequence, "fold": fold.digest, "chunk": chunk}
    for owner, end in _owners(ex, space_id, sequence):
        rows = ex.rows(_chunk, asked | {"space_id": owner}) if end == sequence else []
        if rows:
            flat = msgpack.unpackb(rows[0][0])
            return dict(zip(flat[::2], flat[1::2], strict=True))
    return None


def write_chunk(  # noqa: PLR0917 - what a row has
    ex: Executor, space_id: int, sequence: int, fold: Fold, chunk: int, data: bytes
) -> None:
    """Write a chunk; the caller has made sure that the space is there, and stays."""
    ex.run(
        _put_chunk,
        {
            "space_id": space_id,
            "space_sequence": sequence,
            "fold": fold.digest,
            "chunk": chunk,
            "data": data,
        },
    )


def write_head(
    ex: Executor, space_id: int, stored: Stored, fold: Fold, *, key_count: int, now: int
) -> bool:
    """Let the chunks count, and drop what is of another fold; the caller has the space's lock.

    Returns:
        False where somebody dropped some of the chunks meanwhile: then there is no snapshot.
    """
    mine = {"space_id": space_id, "fold": fold.digest}
    found = ex.rows(_chunk_count, mine | {"sequence": stored.sequence})[0][0]
    if found != stored.chunk_count:
        return False
    ex.run(_drop_heads, mine | {"below": 0})
    ex.run(
        _put_head,
        mine
        | {
            "space_sequence": stored.sequence,
            "domains": encode(dict(fold.versions), "fold versions"),
            "latest": stored.latest,
            "key_count": key_count,
            "chunk_count": stored.chunk_count,
            "created_at": now,
        },
    )
    ex.run(_drop_chunks, {"space_id": space_id})
    return True


def read_all(ex: Executor, space_id: int) -> list[SnapshotInfo]:
    """Read which snapshots there are, newest first."""
    return [
        SnapshotInfo(sequence, decode(domains), key_count, from_micros(created_at))
        for sequence, domains, key_count, created_at in ex.rows(_all, {"space_id": space_id})
    ]


def drop(ex: Executor, space_id: int, keep: int = 0) -> int:
    """Drop all snapshots but the newest ``keep``; return how many that were."""
    found = [row[0] for row in ex.rows(_all, {"space_id": space_id})]
    for statement in (_drop_all_chunks, _drop_all_heads) if not keep else ():
        ex.run(statement, {"space_id": space_id})
    for sequence in found[keep:] if keep else ():
        ex.run(_drop_one, {"space_id": space_id, "sequence": sequence})
    if keep:
        ex.run(_drop_chunks, {"space_id": space_id})
    return len(found[keep:])


@Statement
def _drop_one(t: Tables) -> sa.Delete:
    s = t.snapshots.c
    return sa.delete(t.snapshots).where(
        s.space_id == p("space_id"), s.space_sequence == p("sequence")
    )
