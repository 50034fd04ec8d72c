"""Stored copies of a pstate at places of the order of all replicas: what changed since the last.

The oldest one of a space holds everything, each other one the keys that were written after the one
before it. They are true of the events that are folded: who folds one that came late drops those
from its place on, in the same transaction. Each comes in chunks, in the order of keys.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgpack
import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.sync.place import FoldPlace
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

CHUNK = 1 << 18
"""Bytes of keys and values after which a chunk is full."""

Values = Iterable[tuple[str, bytes | None]]
"""Keys in order with packed values; None for one that went."""


class Chunk(NamedTuple):
    """A part of a snapshot: its number, and the first and the last key in it."""

    number: int
    low: str
    high: str


class CanonicalSnapshot(NamedTuple):
    """A snapshot that is there."""

    place: FoldPlace
    chunks: Sequence[Chunk]


_PLACE = ("stamp", "origin", "origin_seq")
_COLUMNS = ("space_id", *_PLACE, "chunk", "fold", "count", "vector", "low", "high", "data")


@Statement
def of_fold(t: Tables) -> sa.Select[Any]:
    """The chunks of the snapshots of a fold, without what is in them, oldest first."""
    s = t.canonical_snapshots.c
    place = (s.stamp, s.origin, s.origin_seq)
    return (
        sa.select(*place, s.count, s.vector, s.chunk, s.low, s.high)
        .where(s.space_id == p("space_id"), s.fold == p("fold"))
        .order_by(*place, s.chunk)
    )


@Statement
def one_chunk(t: Tables) -> sa.Select[Any]:
    """What is in a chunk."""
    s = t.canonical_snapshots.c
    return sa.select(s.data).where(s.space_id == p("space_id"), *_here(t), s.chunk == p("chunk"))


@Statement
def _put(t: Tables) -> sa.Insert:
    return sa.insert(t.canonical_snapshots).values({name: p(name) for name in _COLUMNS})


@Statement
def drop_one(t: Tables) -> sa.Delete:
    """Drop a snapshot."""
    s = t.canonical_snapshots
    return sa.delete(s).where(s.c.space_id == p("space_id"), *_here(t))


@Statement
def drop_from(t: Tables) -> sa.Delete:
    """Drop the snapshots from a stamp on."""
    s = t.canonical_snapshots
    return sa.delete(s).where(s.c.space_id == p("space_id"), s.c.stamp >= p("stamp"))


@Statement
def drop_others(t: Tables) -> sa.Delete:
    """Drop the snapshots of other folds."""
    s = t.canonical_snapshots
    return sa.delete(s).where(s.c.space_id == p("space_id"), s.c.fold != p("fold"))


def _here(t: Tables) -> Sequence[sa.ColumnElement[bool]]:
    return [t.canonical_snapshots.c[name] == p(name) for name in _PLACE]


def read_canonical(ex: Executor, space_id: int, fold: str) -> list[CanonicalSnapshot]:
    """Read which snapshots of a fold there are, oldest first."""
    rows = ex.rows(of_fold, {"space_id": space_id, "fold": fold})
    found = []
    for (stamp, origin, origin_seq, count), each in groupby(rows, key=lambda row: row[:4]):
        chunks = [*each]
        vector = msgpack.unpackb(chunks[0][4])
        place = FoldPlace((stamp, bytes(origin), origin_seq), count, vector)
        found.append(CanonicalSnapshot(place, [Chunk(*row[5:]) for row in chunks]))
    return found


def read_canonical_chunk(
    ex: Executor, space_id: int, place: FoldPlace, number: int
) -> dict[str, bytes | None] | None:
    """Read what is in a chunk; None where somebody dropped it."""
    rows = ex.rows(one_chunk, {"space_id": space_id, **_params(place), "chunk": number})
    if not rows:
        return None
    flat = msgpack.unpackb(rows[0][0])
    return dict(zip(flat[::2], flat[1::2], strict=True))


def write_canonical(ex: Executor, space_id: int, fold: str, place: FoldPlace, data: Values) -> None:
    """Write a snapshot; the caller holds the space's lock."""
    common = {"space_id": space_id, **_params(place), "fold": fold, "count": place.events}
    rows = [
        common
        | {"chunk": number, "low": low, "high": high, "data": packed}
        | {"vector": b"" if number else msgpack.packb(dict(place.vector))}
        for number, (low, high, packed) in enumerate(packed_chunks(data))
    ]
    ex.run_many(_put, rows)


def packed_chunks(data: Values) -> Iterator[tuple[str, str, bytes]]:
    """Pack keys and values; yield the first and the last key of each chunk and what is in it.

    There is one at least.
    """
    held: list[str | bytes | None] = []
    size, some = 0, False
    for key, value in data:
        held += (key, value)
        size += len(key) + len(value or b"")
        if size >= CHUNK:
            yield held[0], key, msgpack.packb(held)  # type: ignore[misc]
            held, size, some = [], 0, True
    if held or not some:
        low, high = (held[0], held[-2]) if held else ("", "")
        yield low, high, msgpack.packb(held)  # type: ignore[misc]


def drop_canonical(ex: Executor, space_id: int, place: FoldPlace) -> None:
    """Drop a snapshot; the caller holds the space's lock."""
    ex.run(drop_one, {"space_id": space_id, **_params(place)})


def drop_canonical_from(ex: Executor, space_id: int, stamp: int = 0) -> None:
    """Drop the snapshots that know events of this stamp or above; all by default.

    The caller holds the space's lock.
    """
    ex.run(drop_from, {"space_id": space_id, "stamp": stamp})


def drop_other_folds(ex: Executor, space_id: int, fold: str) -> None:
    """Drop the snapshots of other folds than this one; the caller holds the space's lock."""
    ex.run(drop_others, {"space_id": space_id, "fold": fold})


def _params(place: FoldPlace) -> Mapping[str, Any]:
    return dict(zip(_PLACE, place.last, strict=True))
