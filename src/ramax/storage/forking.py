"""Forking every space of a branch at a single point, and emptying a branch (ADR-0082)."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.chain import BEGINNING
from ramax.errors import MisuseError
from ramax.storage.chain import read_hashes, write_head
from ramax.storage.deletion import drop_tokens
from ramax.storage.executors import Executor
from ramax.storage.runs import read_first_late
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class Head(NamedTuple):
    """A space at the point of a fork, locked by whoever forks."""

    space_id: int
    space_name: str
    last_sequence: int
    base_sequence: int
    direct: bool
    """Whether values stand in it that no event wrote."""

    replicated: bool
    chained: bool
    """Whether it has a hash chain."""


@Statement
def lock_spaces(t: Tables) -> sa.Select[Any]:
    """Lock the hot rows of all spaces of a branch, in id order: nothing is appended any more."""
    s, q, e = t.spaces, t.space_sequences, t.pstate.c
    direct = sa.exists().where(e.space_id == s.c.space_id, e.direct == sa.literal_column("1"))
    replicated = q.c.replica_head.is_not(None)
    chained = q.c.head_hash.is_not(None)
    numbers = (q.c.last_sequence, s.c.base_sequence, direct, replicated, chained)
    return (
        sa.select(s.c.space_id, s.c.space_name, *numbers)
        .select_from(s.join(q, q.c.space_id == s.c.space_id))
        .where(s.c.branch_id == p("branch_id"))
        .order_by(s.c.space_id)
        .with_for_update(of=q, key_share=True)
    )


@Statement
def _fork_spaces(t: Tables) -> sa.Insert:
    """Make a space of the new branch for each of the old one, at where it is now."""
    s, q = t.spaces.c, t.space_sequences.c
    given = sa.select(
        s.space_name,
        s.metadata,
        s.domains,
        sa.bindparam("now", type_=sa.BigInteger()),
        sa.bindparam("new_branch", type_=sa.BigInteger()),
        s.space_id,
        q.last_sequence,
    ).join_from(t.spaces, t.space_sequences, q.space_id == s.space_id)
    columns = ["space_name", "metadata", "domains", "created_at", "branch_id"]
    made = sa.insert(t.spaces).from_select(
        [*columns, "parent_space_id", "base_sequence"],
        given.where(s.branch_id == p("branch_id")).order_by(s.space_id),
    )
    return made.returning(s.parent_space_id, s.space_id)


@Statement
def _take_back(t: Tables) -> sa.Delete:
    return sa.delete(t.spaces).where(t.spaces.c.branch_id == p("new_branch"))


@Statement
def _fork_space(t: Tables) -> sa.Insert:
    """Make another space of the same branch, of one that is locked, if the name is free."""
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    s, q = t.spaces.c, t.space_sequences.c
    given = sa.select(
        sa.bindparam("name", type_=s.space_name.type),
        s.metadata,
        s.domains,
        sa.bindparam("now", type_=sa.BigInteger()),
        s.branch_id,
        s.space_id,
        q.last_sequence,
    ).join_from(t.spaces, t.space_sequences, q.space_id == s.space_id)
    columns = ["space_name", "metadata", "domains", "created_at", "branch_id"]
    statement = insert(t.spaces).from_select(
        [*columns, "parent_space_id", "base_sequence"], given.where(s.space_id == p("space_id"))
    )
    return statement.on_conflict_do_nothing(index_elements=["branch_id", "space_name"]).returning(
        t.spaces.c.space_id
    )


@Statement
def _set_base(t: Tables) -> sa.Update:
    """Move the base of a new space back; its parent is what names it."""
    s = t.spaces.c
    mine = (s.branch_id == p("new_branch")) & (s.parent_space_id == p("parent_id"))
    return sa.update(t.spaces).where(mine).values(base_sequence=p("sequence"))


@Statement
def _remove_forked(t: Tables) -> sa.Delete:
    s = t.spaces.c
    mine = (s.branch_id == p("new_branch")) & (s.parent_space_id == p("parent_id"))
    return sa.delete(t.spaces).where(mine)


def _guards(t: Tables) -> tuple[list[str], sa.Select[Any]]:
    """The hot rows of new spaces: sequence, time and chain go on from the parent's.

    Where a chain was at a point of the past, `begin_chain` says.
    """
    s, q = t.spaces.c, t.space_sequences
    parent = q.alias("parent")
    head = sa.case((parent.c.last_sequence == s.base_sequence, parent.c.head_hash))
    given = sa.select(
        s.space_id, s.base_sequence, sa.literal_column("0"), parent.c.last_timestamp, head
    ).join_from(t.spaces, parent, parent.c.space_id == s.parent_space_id)
    columns = ["space_id", "last_sequence", "state_version", "last_timestamp", "head_hash"]
    return columns, given


@Statement
def _fork_guards(t: Tables) -> sa.Insert:
    """Give the new spaces of a branch their hot rows."""
    columns, given = _guards(t)
    s = t.spaces.c
    mine = given.where(s.branch_id == p("new_branch")).order_by(s.space_id)
    return sa.insert(t.space_sequences).from_select(columns, mine)


@Statement
def _fork_guard(t: Tables) -> sa.Insert:
    """Give a new space its hot row."""
    columns, given = _guards(t)
    mine = given.where(t.spaces.c.space_id == p("space_id"))
    return sa.insert(t.space_sequences).from_select(columns, mine)


@Statement
def _searched(t: Tables) -> sa.Select[Any]:
    s = t.spaces.c
    mine = (s.branch_id == p("branch_id")) & s.searched.is_not(None)
    return sa.select(s.space_id).where(mine)


def lock_heads(ex: Executor, branch_id: int) -> list[Head]:
    """Lock every space of a branch, by id, and return where each is."""
    return [Head(*row) for row in ex.rows(lock_spaces, {"branch_id": branch_id})]


def begin_fork(
    ex: Executor, source_id: int, new_id: int, now: int
) -> tuple[list[Head], dict[int, int]]:
    """Make the spaces of a new branch of all of those of the source: one point over all.

    Who waited for a lock may have waited for a transaction that made another space: if there is
    one that is not locked, everything is taken back, and begun again with its lock as well.

    Returns:
        The spaces of the source, and the new ones by these.
    """
    while True:
        heads = lock_heads(ex, source_id)
        params = {"branch_id": source_id, "new_branch": new_id, "now": now}
        made = {row[0]: row[1] for row in ex.rows(_fork_spaces, params)}
        if made.keys() == {head.space_id for head in heads}:
            return heads, made
        ex.run(_take_back, {"new_branch": new_id})


def end_fork(ex: Executor, new_id: int, left_out: Iterable[int], moved: Mapping[int, int]) -> None:
    """Give the spaces of a new branch their hot rows.

    Args:
        left_out: Spaces of the source that are to have no fork.
        moved: Sequences at which spaces are forked that are not forked at their head.
    """
    if rows := [_of(new_id, parent_id) for parent_id in left_out]:
        ex.run_many(_remove_forked, rows)
    if moved:
        ex.run_many(_set_base, [_of(new_id, i) | {"sequence": n} for i, n in moved.items()])
    ex.run(_fork_guards, {"new_branch": new_id})


def _of(branch_id: int, parent_id: int) -> dict[str, int]:
    return {"new_branch": branch_id, "parent_id": parent_id}


def begin_chain(ex: Executor, fork_id: int, base: int) -> None:
    """Let the chain of a fork go on from the hash at a point of its ancestry's past."""
    found = read_hashes(ex, fork_id, after=base - 1, upto=base) if base else {0: BEGINNING}
    write_head(ex, fork_id, found.get(base))


def check_in_order(ex: Executor, space_id: int, space_name: str, upto: int) -> None:
    """Make sure that a replicated space can be forked at a sequence.

    Raises:
        MisuseError: An event before it came late: the space folds in another order than its log,
            which nobody knows but its replicas.
    """
    late = read_first_late(ex, space_id)
    if late is not None and late <= upto:
        raise MisuseError(
            f"space {space_name!r} is replicated, and its event {late} came late: it cannot be "
            "forked there"
        )


def fork_space(ex: Executor, space_id: int, name: str, now: int) -> int | None:
    """Make another space of the same branch of one that is locked; None if the name is taken."""
    rows = ex.rows(_fork_space, {"space_id": space_id, "name": name, "now": now})
    if not rows:
        return None
    made = int(rows[0][0])
    ex.run(_fork_guard, {"space_id": made})
    return made


def empty_branch(ex: Executor, branch_id: int) -> None:
    """Delete every row of every space of a branch, which the caller has locked."""
    if ex.tables.dialect == "sqlite":
        for (space_id,) in ex.rows(_searched, {"branch_id": branch_id}):
            ex.run(drop_tokens(space_id), {})
    for statement in _emptying(ex.tables):
        ex.run(statement, {"branch_id": branch_id})


_EMPTYING: dict[Tables, list[Statement]] = {}


def _emptying(tables: Tables) -> list[Statement]:
    if tables not in _EMPTYING:
        names = [table.name for table in (*tables.owned_by_space, tables.spaces)]
        _EMPTYING[tables] = [Statement(_delete_of_branch(name)) for name in names]
    return _EMPTYING[tables]


def _delete_of_branch(name: str) -> Any:
    def build(t: Tables) -> sa.Delete:
        table = next(x for x in t.metadata.sorted_tables if x.name == name)
        s = t.spaces.c
        if table is t.spaces:
            return sa.delete(table).where(s.branch_id == p("branch_id"))
        mine = sa.select(s.space_id).where(s.branch_id == p("branch_id"))
        return sa.delete(table).where(table.c.space_id.in_(mine))

    return build
