"""What a decision needs to know of its spaces: the guards and the values of some keys."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY

from ramax.core.codec import FORMAT_MSGPACK, decode
from ramax.core.fulltext.documents import searched
from ramax.core.guard import Guard
from ramax.core.state import End, Packed, ReadFailedError, Tagged
from ramax.errors import StorageError
from ramax.storage.executors import Executor
from ramax.storage.lineage import Segment, clipped, lineage_of
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import Tables

T = TypeVar("T")

PSTATE = "pstate"
"""The checkpoint of the built-in projection."""

_FEW = 3  # so many reads by key are quicker on SQLite than one over a list


@dataclass(frozen=True, slots=True)
class Facts:
    """A space as one moment saw it."""

    space_name: str
    guard: Guard
    values: dict[str, Packed | None]


def _guard_columns(t: Tables) -> list[sa.ColumnElement[Any]]:
    q = t.space_sequences.c
    return [
        t.spaces.c.space_name,
        q.last_sequence,
        q.state_version,
        q.last_timestamp,
        t.checkpoints.c.last_space_sequence,
        t.spaces.c.domains,
        q.head_hash,
        t.spaces.c.indexed,
        t.spaces.c.searched,
        q.replica_head,
    ]


def _guard_from(t: Tables) -> sa.FromClause:
    q, c = t.space_sequences, t.checkpoints
    return q.join(t.spaces, t.spaces.c.space_id == q.c.space_id).outerjoin(
        c, (c.c.space_id == q.c.space_id) & (c.c.name == sa.literal_column(f"'{PSTATE}'"))
    )


@Statement
def _guard(t: Tables) -> sa.Select[Any]:
    return (
        sa.select(*_guard_columns(t))
        .select_from(_guard_from(t))
        .where(t.space_sequences.c.space_id == p("space_id"))
    )


@Statement
def _value(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return sa.select(s.value, s.format).where(s.space_id == p("space_id"), s.key == p("key"))


@Statement
def _values_in_range(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return sa.select(s.key, s.value, s.format).where(
        s.space_id == p("space_id"), s.key >= p("low"), s.key < p("high")
    )


@Statement
def lowest_key(t: Tables) -> sa.Select[Any]:
    """The first key of a range."""
    return _keys_in_range(t).order_by(t.pstate.c.key).limit(1)


@Statement
def highest_key(t: Tables) -> sa.Select[Any]:
    """The last key of a range."""
    return _keys_in_range(t).order_by(t.pstate.c.key.desc()).limit(1)


def _keys_in_range(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return sa.select(s.key).where(s.space_id == p("space_id"), s.key >= p("low"), s.key < p("high"))


@Statement
def _facts(t: Tables) -> sa.Select[Any]:
    """Guards and values of many keys of many spaces, as of one snapshot (PostgreSQL)."""
    w = unnest("w", space_id=sa.BigInteger(), key=sa.Text())
    s, q = t.pstate, t.space_sequences
    return sa.select(w.c.space_id, w.c.key, s.c.value, s.c.format, *_guard_columns(t)).select_from(
        w.join(q, q.c.space_id == w.c.space_id)
        .join(t.spaces, t.spaces.c.space_id == q.c.space_id)
        .outerjoin(
            t.checkpoints,
            (t.checkpoints.c.space_id == q.c.space_id)
            & (t.checkpoints.c.name == sa.literal_column(f"'{PSTATE}'")),
        )
        .outerjoin(s, (s.c.space_id == w.c.space_id) & (s.c.key == w.c.key))
    )


@Statement
def _values_of_space(t: Tables) -> sa.Select[Any]:
    """Values of some keys of one space (PostgreSQL)."""
    s = t.pstate.c
    keys = sa.bindparam("keys", type_=ARRAY(sa.Text()))
    return sa.select(s.space_id, s.key, s.value, s.format).where(
        s.space_id == p("space_id"), s.key == sa.func.any(keys)
    )


@Statement
def _values_listed(t: Tables) -> sa.Select[Any]:
    """Values of some keys of one space; the keys are a JSON array (SQLite)."""
    s = t.pstate.c
    listed = sa.func.json_each(p("keys", type_=sa.Text())).table_valued("value")
    return sa.select(s.key, s.value, s.format).where(
        s.space_id == p("space_id"), s.key.in_(sa.select(listed.c.value))
    )


@Statement
def _values_of_spaces(t: Tables) -> sa.Select[Any]:
    """Values of some keys of several spaces (PostgreSQL)."""
    w = unnest("w", space_id=sa.BigInteger(), key=sa.Text())
    s = t.pstate.c
    return sa.select(s.space_id, s.key, s.value, s.format).select_from(
        w.join(t.pstate, (s.space_id == w.c.space_id) & (s.key == w.c.key))
    )


@Statement
def _has_types(t: Tables) -> sa.Select[Any]:
    e = t.events.c
    return (
        sa.select(e.event_type)
        .where(
            e.space_id == p("space_id"),
            e.space_sequence > p("after"),
            e.space_sequence <= p("upto"),
        )
        .distinct()
    )


def packed(value: bytes, format_: str) -> Packed:
    """Return a stored value as the core holds it."""
    return value if format_ == FORMAT_MSGPACK else Tagged(value, format_)


def _as_guard(row: Sequence[Any]) -> Guard:
    last_sequence, state_version, last_timestamp, checkpoint, domains, head_hash, *marks = row
    indexed, text, replica = marks
    return Guard(
        last_sequence,
        state_version,
        last_timestamp,
        checkpoint or 0,
        None if domains is None else frozenset(decode(domains)),
        head_hash,
        indexed,
        None if text is None else searched(text),
        replica=replica,
    )


def read_facts(ex: Executor, wanted: Mapping[int, Iterable[str]]) -> dict[int, Facts]:
    """Read the guards of spaces and the values of some of their keys.

    On PostgreSQL this is one statement, hence one snapshot; on SQLite the caller's transaction
    is the snapshot.

    Returns:
        Space id to facts; a space that does not exist is absent, a missing key maps to None.
    """
    if ex.tables.dialect == "postgresql":
        return _read_facts_at_once(ex, wanted)
    found: dict[int, Facts] = {}
    for space_id, keys in wanted.items():
        rows = ex.rows(_guard, {"space_id": space_id})
        if rows:
            name, *guard = rows[0]
            found[space_id] = Facts(name, _as_guard(guard), read_values(ex, space_id, keys))
    return found


def _read_facts_at_once(ex: Executor, wanted: Mapping[int, Iterable[str]]) -> dict[int, Facts]:
    spaces: list[int] = []
    keys: list[str | None] = []
    for space_id, names in wanted.items():
        asked: list[str | None] = list(names) or [None]
        spaces += [space_id] * len(asked)
        keys += asked
    found: dict[int, Facts] = {}
    for space_id, key, value, format_, name, *guard in ex.rows(
        _facts, {"w_space_id": spaces, "w_key": keys}
    ):
        facts = found.get(space_id)
        if facts is None:
            facts = found[space_id] = Facts(name, _as_guard(guard), {})
        if key is not None:
            facts.values[key] = None if value is None else packed(value, format_)
    return found


def read_known(
    ex: Executor, wanted: Mapping[int, list[str]]
) -> dict[int, dict[str, Packed | None]]:
    """Read values of spaces whose guard is known, with one statement (PostgreSQL)."""
    if len(wanted) == 1:
        space_id, keys = next(iter(wanted.items()))
        rows = ex.rows(_values_of_space, {"space_id": space_id, "keys": keys})
    else:
        spaces = [space_id for space_id, keys in wanted.items() for _ in keys]
        flat = [key for keys in wanted.values() for key in keys]
        rows = ex.rows(_values_of_spaces, {"w_space_id": spaces, "w_key": flat})
    found: dict[int, dict[str, Packed | None]] = {
        space_id: dict.fromkeys(keys) for space_id, keys in wanted.items()
    }
    for space_id, key, value, format_ in rows:
        found[space_id][key] = packed(value, format_)
    return found


def read_value(ex: Executor, space_id: int, key: str) -> Packed | None:
    """Read one stored value, or None."""
    rows = ex.rows(_value, (space_id, key))
    return packed(*rows[0]) if rows else None


def read_values(ex: Executor, space_id: int, keys: Iterable[str]) -> dict[str, Packed | None]:
    """Read values of some keys of a space, None for one that is not there."""
    names = list(keys)
    if ex.tables.dialect == "postgresql":
        return read_known(ex, {space_id: names})[space_id] if names else {}
    if len(names) <= _FEW:
        return {key: read_value(ex, space_id, key) for key in names}
    found: dict[str, Packed | None] = dict.fromkeys(names)
    listed = json.dumps(names, ensure_ascii=False)
    for key, value, format_ in ex.rows(_values_listed, {"space_id": space_id, "keys": listed}):
        found[key] = packed(value, format_)
    return found


def read_range(ex: Executor, space_id: int, low: str, high: str) -> dict[str, Packed]:
    """Read every key of a space with low <= key < high."""
    rows = ex.rows(_values_in_range, {"space_id": space_id, "low": low, "high": high})
    return {key: packed(value, format_) for key, value, format_ in rows}


def read_nearest(ex: Executor, space_id: int, low: str, high: str, end: End) -> str | None:
    """Read the lowest key of a space with low <= key < high, or the highest; None without one."""
    params = {"space_id": space_id, "low": low, "high": high}
    rows = ex.rows(highest_key if end == "highest" else lowest_key, params)
    return rows[0][0] if rows else None


_NOT_FOR_THE_DOMAIN = (StorageError, asyncio.CancelledError)


class StoredSource:
    """What a state has not seen yet, from the database of ``ex``; see `Source`."""

    __slots__ = ("_ex", "_space_id")

    def __init__(self, ex: Executor, space_id: int) -> None:
        self._ex, self._space_id = ex, space_id

    def load(self, key: str) -> Packed | None:
        """Read one value."""
        try:
            return read_value(self._ex, self._space_id, key)
        except _NOT_FOR_THE_DOMAIN as error:
            raise ReadFailedError(error) from error

    def load_range(self, low: str, high: str) -> Mapping[str, Packed]:
        """Read every value with low <= key < high."""
        return uncatchable(read_range, self._ex, self._space_id, low, high)

    def load_nearest(self, low: str, high: str, end: End) -> str | None:
        """Read the lowest key with low <= key < high, or the highest."""
        return uncatchable(read_nearest, self._ex, self._space_id, low, high, end)


def uncatchable(read: Callable[..., T], *arguments: Any) -> T:
    """Read for a unit of work that is deciding: a failure is not for the domain to catch."""
    try:
        return read(*arguments)
    except _NOT_FOR_THE_DOMAIN as error:
        raise ReadFailedError(error) from error


def read_event_types(ex: Executor, space_id: int, upto: int) -> frozenset[str]:
    """Read which event types a space has, up to and including a sequence."""
    parts = clipped(lineage_of(ex, space_id), 0, upto) or (Segment(space_id, 0, upto),)
    return frozenset(row[0] for part in parts for row in ex.rows(_has_types, part._asdict()))
