"""The registry of branches: rows of `branches`, and who goes on from whose events (ADR-0082)."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.errors import BranchNotFoundError, SpaceInUseError
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import Branch, from_micros


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
def _keep_by_name(t: Tables) -> sa.Select[Any]:
    """Find a branch, and keep it from being deleted until the transaction ends."""
    found = _columns(t).where(t.branches.c.branch_name == p("name"))
    return found.with_for_update(of=t.branches, read=True, key_share=True)


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
def _children_of_branch(t: Tables) -> sa.Select[Any]:
    """Names of the other branches with a space that goes on from one of this branch."""
    s, child, b = t.spaces, t.spaces.alias("child"), t.branches
    joined = s.join(child, child.c.parent_space_id == s.c.space_id).join(
        b, b.c.branch_id == child.c.branch_id
    )
    return (
        sa.select(b.c.branch_name)
        .select_from(joined)
        .where(s.c.branch_id == p("branch_id"), child.c.branch_id != s.c.branch_id)
        .distinct()
        .order_by(b.c.branch_name)
    )


@Statement
def _children_of_space(t: Tables) -> sa.Select[Any]:
    """What goes on from a space: on which branch, of what name, and whether on the same."""
    s, b, parent = t.spaces, t.branches, t.spaces.alias("parent")
    joined = s.join(b, b.c.branch_id == s.c.branch_id).join(
        parent, parent.c.space_id == s.c.parent_space_id
    )
    return (
        sa.select(b.c.branch_name, s.c.space_name, parent.c.branch_id == s.c.branch_id)
        .select_from(joined)
        .where(s.c.parent_space_id == p("space_id"))
        .order_by(b.c.branch_name, s.c.space_id)
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
    return sa.select(tree.c.space_id).where(wanted).order_by(tree.c.space_id)


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


def find_kept(ex: Executor, name: str) -> Branch:
    """Return the branch of that name, which stays until the transaction ends.

    Raises:
        BranchNotFoundError: There is none.
    """
    rows = ex.rows(_keep_by_name, {"name": name})
    if not rows:
        raise BranchNotFoundError(name)
    return _as_branch(rows[0])


def create(ex: Executor, name: str, parent: Branch | None, now: int) -> Branch | None:
    """Insert a branch without spaces; None if the name is taken."""
    parent_id = None if parent is None else parent.branch_id
    rows = ex.rows(_insert, {"name": name, "parent_id": parent_id, "now": now})
    if not rows:
        return None
    return Branch(rows[0][0], name, None if parent is None else parent.name, from_micros(now))


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


def children_of_branch(ex: Executor, branch_id: int) -> list[str]:
    """Return the names of other branches that go on from spaces of this one."""
    return [row[0] for row in ex.rows(_children_of_branch, {"branch_id": branch_id})]


def children_of_space(ex: Executor, space_id: int) -> list[str]:
    """Return the names of the branches that go on from a space, and of its clones on its own."""
    rows = ex.rows(_children_of_space, {"space_id": space_id})
    return [f"{branch} ({space})" if same else branch for branch, space, same in rows]


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
