"""Branches: rows of `branches`, and forking every space of one at a single point (ADR-0082)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.errors import BranchNotFoundError, SpaceInUseError
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import Branch, from_micros


class Head(NamedTuple):
    """A space at the point of a fork, locked by whoever forks."""

    space_id: int
    space_name: str
    last_sequence: int
    base_sequence: int


def _columns(t: Tables) -> sa.Select[Any]:
    b, parent = t.branches, t.branches.alias("parent")
    joined = b.outerjoin(parent, parent.c.branch_id == b.c.parent_branch_id)
    return sa.select(
        b.c.branch_id, b.c.branch_name, parent.c.branch_name, b.c.created_at
    ).select_from(joined)


@Statement
def _by_name(t: Tables) -> sa.Select[Any]:
    return _columns(t).where(t.branches.c.branch_name == p("name"))


@Statement
def _all(t: Tables) -> sa.Select[Any]:
    return _columns(t).order_by(t.branches.c.branch_id)


@Statement
def _insert(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    return (
        insert(t.branches)
        .values(branch_name=p("name"), parent_branch_id=p("parent_id"), created_at=p("now"))
        .on_conflict_do_nothing(index_elements=["branch_name"])
        .returning(t.branches.c.branch_id)
    )


@Statement
def _rename(t: Tables) -> sa.Update:
    b = t.branches
    return sa.update(b).where(b.c.branch_id == p("id")).values(branch_name=p("name"))


@Statement
def _delete(t: Tables) -> sa.Delete:
    return sa.delete(t.branches).where(t.branches.c.branch_id == p("branch_id"))


@Statement
def _keep(t: Tables) -> sa.Select[Any]:
    """Keep a branch from being deleted until the transaction ends."""
    b = t.branches.c
    statement = sa.select(b.branch_id).where(b.branch_id == p("branch_id"))
    return statement.with_for_update(read=True, key_share=True)


@Statement
def _lock(t: Tables) -> sa.Select[Any]:
    """Have a branch for oneself: nobody makes a space on it, or forks it, meanwhile."""
    b = t.branches.c
    return sa.select(b.branch_id).where(b.branch_id == p("branch_id")).with_for_update()


@Statement
def lock_spaces(t: Tables) -> sa.Select[Any]:
    """Lock the hot rows of all spaces of a branch, in id order: nothing is appended any more."""
    s, q = t.spaces, t.space_sequences
    return (
        sa.select(s.c.space_id, s.c.space_name, q.c.last_sequence, s.c.base_sequence)
        .select_from(s.join(q, q.c.space_id == s.c.space_id))
        .where(s.c.branch_id == p("branch_id"))
        .order_by(s.c.space_id)
        .with_for_update(of=q, key_share=True)
    )


@Statement
def _fork_spaces(t: Tables) -> sa.Insert:
    """Make a space of the new branch for each of the old one, at where it is now."""
    s, q = t.spaces.c, t.space_sequences.c
    copied = (s.space_name, s.metadata, s.domains)
    given = sa.select(
        *copied,
        sa.bindparam("now", type_=sa.BigInteger()),
        sa.bindparam("new_branch", type_=sa.BigInteger()),
        s.space_id,
        q.last_sequence,
    ).join_from(t.spaces, t.space_sequences, q.space_id == s.space_id)
    columns = ["space_name", "metadata", "domains", "created_at", "branch_id"]
    return sa.insert(t.spaces).from_select(
        [*columns, "parent_space_id", "base_sequence"],
        given.where(s.branch_id == p("branch_id")).order_by(s.space_id),
    )


@Statement
def _set_base(t: Tables) -> sa.Update:
    """Move the base of a new space back; its parent's sequence is what names it."""
    s = t.spaces.c
    mine = (s.branch_id == p("new_branch")) & (s.parent_space_id == p("parent_id"))
    return sa.update(t.spaces).where(mine).values(base_sequence=p("sequence"))


@Statement
def _remove_forked(t: Tables) -> sa.Delete:
    s = t.spaces.c
    mine = (s.branch_id == p("new_branch")) & (s.parent_space_id == p("parent_id"))
    return sa.delete(t.spaces).where(mine)


@Statement
def _fork_guards(t: Tables) -> sa.Insert:
    """Give the new spaces their hot rows: sequence and time go on from the parent's."""
    s, q = t.spaces.c, t.space_sequences
    parent, h = q.alias("parent"), t.event_hashes.c
    there = sa.select(h.hash).where(
        h.space_id == s.parent_space_id, h.space_sequence == s.base_sequence
    )
    head = sa.case(
        (parent.c.last_sequence == s.base_sequence, parent.c.head_hash),
        (parent.c.head_hash.is_not(None), there.scalar_subquery()),
    )
    given = (
        sa.select(
            s.space_id, s.base_sequence, sa.literal_column("0"), parent.c.last_timestamp, head
        )
        .join_from(t.spaces, parent, parent.c.space_id == s.parent_space_id)
        .where(s.branch_id == p("new_branch"))
        .order_by(s.space_id)
    )
    columns = ["space_id", "last_sequence", "state_version", "last_timestamp", "head_hash"]
    return sa.insert(q).from_select(columns, given)


@Statement
def _forks_of(t: Tables) -> sa.Select[Any]:
    s = t.spaces.c
    mine = (s.branch_id == p("branch_id")) & s.parent_space_id.is_not(None)
    return sa.select(s.parent_space_id, s.space_id).where(mine)


@Statement
def _children_of_branch(t: Tables) -> sa.Select[Any]:
    """Names of the branches with a space that goes on from one of this branch."""
    s, child, b = t.spaces, t.spaces.alias("child"), t.branches
    joined = s.join(child, child.c.parent_space_id == s.c.space_id).join(
        b, b.c.branch_id == child.c.branch_id
    )
    return (
        sa.select(b.c.branch_name)
        .select_from(joined)
        .where(s.c.branch_id == p("branch_id"))
        .distinct()
        .order_by(b.c.branch_name)
    )


@Statement
def _children_of_space(t: Tables) -> sa.Select[Any]:
    s, b = t.spaces, t.branches
    return (
        sa.select(b.c.branch_name)
        .select_from(s.join(b, b.c.branch_id == s.c.branch_id))
        .where(s.c.parent_space_id == p("space_id"))
        .distinct()
        .order_by(b.c.branch_name)
    )


@Statement
def _seen_on(t: Tables) -> sa.Select[Any]:
    """The space of a branch whose log has an event that is stored under another space."""
    s = t.spaces
    tree = (
        sa.select(s.c.space_id, s.c.base_sequence.label("upto"), s.c.branch_id)
        .where(s.c.parent_space_id == p("owner"))
        .cte("tree", recursive=True)
    )
    child = s.alias("child")
    least = sa.case((child.c.base_sequence < tree.c.upto, child.c.base_sequence), else_=tree.c.upto)
    tree = tree.union_all(
        sa.select(child.c.space_id, least, child.c.branch_id).join_from(
            tree, child, child.c.parent_space_id == tree.c.space_id
        )
    )
    wanted = (tree.c.branch_id == p("branch_id")) & (tree.c.upto >= p("sequence"))
    return sa.select(tree.c.space_id).where(wanted)


def _as_branch(row: Row) -> Branch:
    branch_id, name, parent, created_at = row
    return Branch(branch_id, name, parent, from_micros(created_at))


def find(ex: Executor, name: str) -> Branch | None:
    """Return the branch of that name, or None."""
    rows = ex.rows(_by_name, {"name": name})
    return _as_branch(rows[0]) if rows else None


def list_all(ex: Executor) -> list[Branch]:
    """Return every branch by id, `main` first."""
    return [_as_branch(row) for row in ex.rows(_all, {})]


def create(ex: Executor, name: str, parent_id: int | None, now: int) -> Branch | None:
    """Insert a branch without spaces; None if the name is taken."""
    rows = ex.rows(_insert, {"name": name, "parent_id": parent_id, "now": now})
    return find(ex, name) if rows else None


def rename(ex: Executor, branch_id: int, name: str) -> None:
    """Give a branch another name."""
    ex.run(_rename, {"id": branch_id, "name": name})


def remove(ex: Executor, branch_id: int) -> None:
    """Delete the row of a branch, whose spaces are gone."""
    ex.run(_delete, {"branch_id": branch_id})


def keep(ex: Executor, branch_id: int, name: str) -> None:
    """Keep a branch from being deleted until the transaction ends.

    Raises:
        BranchNotFoundError: It is gone.
    """
    if not ex.rows(_keep, {"branch_id": branch_id}):
        raise BranchNotFoundError(name)


def take_lock(ex: Executor, branch_id: int, name: str) -> None:
    """Lock a branch for the transaction of ``ex``; raise BranchNotFoundError if it is gone."""
    if not ex.rows(_lock, {"branch_id": branch_id}):
        raise BranchNotFoundError(name)


def lock_heads(ex: Executor, branch_id: int) -> list[Head]:
    """Lock every space of a branch, by id, and return where each is: one point over all."""
    return [Head(*row) for row in ex.rows(lock_spaces, {"branch_id": branch_id})]


def fork_spaces(  # noqa: PLR0917 - what a fork is made of
    ex: Executor,
    source_id: int,
    new_id: int,
    moved: Mapping[int, int],
    left_out: Sequence[int],
    now: int,
) -> None:
    """Make the spaces of a new branch of those of the source, which are locked.

    Args:
        moved: Sequences at which spaces are forked that are not forked at their head.
        left_out: Spaces that had no row yet at the point.
    """
    ex.run(_fork_spaces, {"branch_id": source_id, "new_branch": new_id, "now": now})
    if moved:
        rows = [{"new_branch": new_id, "parent_id": i, "sequence": n} for i, n in moved.items()]
        ex.run_many(_set_base, rows)
    if left_out:
        ex.run_many(_remove_forked, [{"new_branch": new_id, "parent_id": i} for i in left_out])
    ex.run(_fork_guards, {"new_branch": new_id})


def forks_of(ex: Executor, branch_id: int) -> dict[int, int]:
    """Return the spaces of a branch by the spaces that they were forked from."""
    return {row[0]: row[1] for row in ex.rows(_forks_of, {"branch_id": branch_id})}


def children_of_branch(ex: Executor, branch_id: int) -> list[str]:
    """Return the names of other branches that go on from spaces of this one."""
    return [row[0] for row in ex.rows(_children_of_branch, {"branch_id": branch_id})]


def children_of_space(ex: Executor, space_id: int) -> list[str]:
    """Return the names of the branches that go on from a space."""
    return [row[0] for row in ex.rows(_children_of_space, {"space_id": space_id})]


def check_unneeded(ex: Executor, space_id: int, space_name: str) -> None:
    """Make sure that nothing goes on from a space, which the caller has locked.

    Raises:
        SpaceInUseError: A space of another branch does.
    """
    if needed_by := children_of_space(ex, space_id):
        raise SpaceInUseError(space_name, needed_by)


def seen_on(ex: Executor, branch_id: int, owner: int, sequence: int) -> int | None:
    """Return the space of a branch that has inherited an event, None if there is none."""
    params = {"branch_id": branch_id, "owner": owner, "sequence": sequence}
    rows = ex.rows(_seen_on, params)
    return rows[0][0] if rows else None
