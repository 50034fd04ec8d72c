"""The registry of spaces: rows of `spaces`, each with its guard in `space_sequences`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.codec import decode, encode, encode_payload
from ramax.core.keys import prefix_end
from ramax.core.limits import check_payload_size
from ramax.storage import branches
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import learn
from ramax.storage.plan import Extra
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import EPOCH, MAIN_BRANCH, Space, from_micros

DEFAULT = "default"
UNSAVED_DEFAULT = Space(0, DEFAULT, EPOCH, {})
"""The `default` space until somebody writes to it: it exists, and has no row yet."""

SYSTEM_PREFIX = "_system_"


def space_columns(t: Tables) -> list[sa.ColumnElement[Any]]:
    """Return the columns that `as_space` takes, in its order."""
    c = t.spaces.c
    return [c.space_id, c.space_name, c.created_at, c.metadata, c.branch_id, c.parent_space_id]


@Statement
def _by_name(t: Tables) -> sa.Select[Any]:
    c = t.spaces.c
    mine = (c.branch_id == p("branch_id")) & (c.space_name == p("name"))
    return sa.select(*space_columns(t)).where(mine)


@Statement
def _by_id(t: Tables) -> sa.Select[Any]:
    return sa.select(*space_columns(t)).where(t.spaces.c.space_id == p("space_id"))


@Statement
def _all(t: Tables) -> sa.Select[Any]:
    c = t.spaces.c
    return sa.select(*space_columns(t)).where(c.branch_id == p("branch_id")).order_by(c.space_id)


@Statement
def _everywhere(t: Tables) -> sa.Select[Any]:
    return sa.select(t.spaces.c.space_id)


@Statement
def _prefixed(t: Tables) -> sa.Select[Any]:
    c = t.spaces.c
    return (
        sa.select(*space_columns(t))
        .where(
            c.branch_id == p("branch_id"),
            c.space_name >= p("low"),
            c.space_name < p("high"),
        )
        .order_by(c.space_id)
    )


@Statement
def _insert(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    return (
        insert(t.spaces)
        .values(
            space_name=p("name"),
            created_at=p("now"),
            metadata=p("meta"),
            branch_id=p("branch_id"),
        )
        .on_conflict_do_nothing(index_elements=["branch_id", "space_name"])
        .returning(t.spaces.c.space_id)
    )


@Statement
def _insert_guard(t: Tables) -> sa.Insert:
    return sa.insert(t.space_sequences).values(
        space_id=p("space_id"), last_sequence=0, state_version=0, last_timestamp=0
    )


@Statement
def _rename(t: Tables) -> sa.Update:
    c = t.spaces.c
    return sa.update(t.spaces).where(c.space_id == p("id")).values(space_name=p("name"))


@Statement
def _set_metadata(t: Tables) -> sa.Update:
    c = t.spaces.c
    return sa.update(t.spaces).where(c.space_id == p("id")).values(metadata=p("meta"))


@Statement
def _set_domains(t: Tables) -> sa.Update:
    c = t.spaces.c
    return sa.update(t.spaces).where(c.space_id == p("space_id")).values(domains=p("names"))


def is_storable_name(name: str) -> bool:
    """Say whether any space could have this name: PostgreSQL refuses NUL and lone surrogates."""
    return "\x00" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def as_space(row: Row) -> Space:
    """Make a space of a row of `space_columns`."""
    space_id, name, created_at, metadata, branch_id, _ = row
    stored = decode(metadata) if metadata else {}
    return Space(space_id, name, from_micros(created_at), stored, branch_id)


def _found(ex: Executor, rows: Sequence[Row]) -> list[Space]:
    for row in rows:
        learn(ex, row[0], row[5])
    return [as_space(row) for row in rows]


def find_by_name(ex: Executor, name: str, branch_id: int = MAIN_BRANCH) -> Space | None:
    """Return the stored space of that name on a branch, or None."""
    found = _found(ex, ex.rows(_by_name, {"name": name, "branch_id": branch_id}))
    return found[0] if found else None


def find_by_id(ex: Executor, space_id: int) -> Space | None:
    """Return the stored space of that id, or None."""
    found = _found(ex, ex.rows(_by_id, {"space_id": space_id}))
    return found[0] if found else None


def list_all(ex: Executor, prefix: str | None = None, branch_id: int = MAIN_BRANCH) -> list[Space]:
    """Return stored spaces of a branch by id, of names that begin with ``prefix`` if given."""
    if not prefix:
        return _found(ex, ex.rows(_all, {"branch_id": branch_id}))
    names = {"low": prefix, "high": prefix_end(prefix), "branch_id": branch_id}
    return _found(ex, ex.rows(_prefixed, names))


def ids_everywhere(ex: Executor) -> frozenset[int]:
    """Return the ids of the spaces of all branches."""
    return frozenset(row[0] for row in ex.rows(_everywhere, {}))


def create(
    ex: Executor,
    name: str,
    metadata: Mapping[str, Any] | None,
    now: int,
    branch_id: int = MAIN_BRANCH,
) -> Space | None:
    """Insert a space of a branch, and its guard; None if the name is taken.

    Raises:
        BranchNotFoundError: The branch was deleted.
    """
    meta = None if metadata is None else pack_metadata(metadata, name)
    if branch_id != MAIN_BRANCH:
        branches.keep(ex, branch_id, f"number {branch_id}")
    rows = ex.rows(_insert, {"name": name, "now": now, "meta": meta, "branch_id": branch_id})
    if not rows:
        return None
    space_id = rows[0][0]
    ex.run(_insert_guard, {"space_id": space_id})
    return Space(space_id, name, from_micros(now), decode(meta) if meta else {}, branch_id)


def rename(ex: Executor, space_id: int, name: str) -> None:
    """Give a space another name; the caller has checked that it is free under the lock."""
    ex.run(_rename, {"id": space_id, "name": name})


def pack_metadata(metadata: Mapping[str, Any], name: str) -> bytes | None:
    """Encode the metadata of a space; None stands for an empty mapping.

    Raises:
        CodecError: It is not a mapping, or holds what cannot be stored, or is over 16 MiB.
    """
    what = f"metadata of space {name!r}"
    packed = encode_payload(metadata, what)
    check_payload_size(packed, what)
    return packed if metadata else None


def set_metadata(ex: Executor, space_id: int, packed: bytes | None) -> None:
    """Replace the metadata of a space by what `pack_metadata` gave."""
    ex.run(_set_metadata, {"id": space_id, "meta": packed})


def domains_row(space_id: int, names: Iterable[str]) -> Extra:
    """Record whose fold the pstate of a space is, as part of a write plan."""
    packed = encode(sorted(names), "domain names")
    return Extra(_set_domains, [{"space_id": space_id, "names": packed}])
