"""Whose a subscription is and until when, and whether it is paused: rows of subscriptions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.storage.cursors import all_spaces
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class Key(NamedTuple):
    """Which subscription; ``space_id`` is `cursors.ALL_SPACES` where it is over all spaces."""

    space_id: int
    name: str
    partition: int = 0

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the statements below."""
        return {"id": self.space_id, "name": self.name, "part": self.partition}


class Standing(NamedTuple):
    """How a subscription stands: its owner, and if it is paused, since when and why."""

    owner: str | None
    lease_until: int
    paused_at: int | None
    stopped_at: int | None
    stopped_part: int | None
    reason: str | None


def _is(t: Tables) -> sa.ColumnElement[bool]:
    c = t.subscriptions.c
    return (c.space_id == p("id")) & (c.name == p("name")) & (c.partition == p("part"))


def _named(t: Tables) -> sa.ColumnElement[bool]:
    c = t.subscriptions.c
    return (c.space_id == p("id")) & (c.name == p("name"))


@Statement
def _add(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    return (
        insert(t.subscriptions)
        .values(
            space_id=p("id"),
            name=p("name"),
            partition=p("part"),
            partitions=p("parts"),
            lease_until=0,
        )
        .on_conflict_do_nothing(index_elements=["space_id", "name", "partition"])
    )


@Statement
def _partitions(t: Tables) -> sa.Select[Any]:
    return sa.select(t.subscriptions.c.partitions).where(_named(t)).limit(1)


@Statement
def standing(t: Tables) -> sa.Select[Any]:
    """Read the owner and the pause of one subscription."""
    c = t.subscriptions.c
    return sa.select(
        c.owner, c.lease_until, c.paused_at, c.stopped_at, c.stopped_part, c.reason
    ).where(_is(t))


@Statement
def take_lease(t: Tables) -> sa.Update:
    """Take a lease that nobody has, or whose time is over."""
    c = t.subscriptions.c
    return (
        sa.update(t.subscriptions)
        .where(_is(t), (c.lease_until <= p("now")) | (c.owner == p("me")))
        .values(owner=p("me"), lease_until=p("until"))
    )


@Statement
def keep_lease(t: Tables) -> sa.Update:
    """Prolong a lease that one still has."""
    c = t.subscriptions.c
    return (
        sa.update(t.subscriptions).where(_is(t), c.owner == p("me")).values(lease_until=p("until"))
    )


@Statement
def free_lease(t: Tables) -> sa.Update:
    """Give a lease back."""
    c = t.subscriptions.c
    return (
        sa.update(t.subscriptions)
        .where(_is(t), c.owner == p("me"))
        .values(owner=sa.null(), lease_until=0)
    )


@Statement
def _pause(t: Tables) -> sa.Update:
    return (
        sa.update(t.subscriptions)
        .where(_is(t), t.subscriptions.c.paused_at.is_(None))
        .values(
            paused_at=p("now"),
            stopped_at=p("position"),
            stopped_part=p("stopped_part"),
            reason=p("why"),
        )
    )


@Statement
def _resume(t: Tables) -> sa.Update:
    return (
        sa.update(t.subscriptions)
        .where(_is(t), t.subscriptions.c.paused_at.is_not(None))
        .values(paused_at=sa.null(), stopped_at=sa.null(), stopped_part=sa.null(), reason=sa.null())
    )


@Statement
def _remove(t: Tables) -> sa.Delete:
    return sa.delete(t.subscriptions).where(_is(t))


def _listed(t: Tables) -> sa.Select[Any]:
    c = t.subscriptions.c
    return sa.select(
        c.space_id,
        c.name,
        c.partition,
        c.partitions,
        c.owner,
        c.lease_until,
        c.paused_at,
        c.stopped_at,
        c.stopped_part,
        c.reason,
    ).order_by(c.space_id, c.name, c.partition)


@Statement
def _of_space(t: Tables) -> sa.Select[Any]:
    return _listed(t).where(t.subscriptions.c.space_id == p("id"))


@Statement
def _all(t: Tables) -> sa.Select[Any]:
    """Every subscription of a branch: of its spaces, and over all of them."""
    c, s = t.subscriptions.c, t.spaces.c
    mine = sa.exists().where(s.space_id == c.space_id, s.branch_id == p("branch_id"))
    return _listed(t).where((c.space_id == p("feed")) | mine)


@Statement
def _any_owned(t: Tables) -> sa.Select[Any]:
    """Whether anybody reads on, in any space; names none on purpose."""
    c = t.subscriptions.c
    return sa.select(c.name).where(c.lease_until > p("now")).limit(1)


def add(ex: Executor, key: Key, partitions: int) -> int:
    """Add a subscription, unless it is there; return how many partitions its name has."""
    found = ex.rows(_partitions, {"id": key.space_id, "name": key.name})
    count = int(found[0][0]) if found else partitions
    if count == partitions:
        ex.run(_add, key.params | {"parts": partitions})
    return count


def stands(ex: Executor, key: Key) -> Standing | None:
    """Return how a subscription stands, None if there is none."""
    rows = ex.rows(standing, key.params)
    return Standing(*rows[0]) if rows else None


def take(ex: Executor, key: Key, me: str, now: int, until: int) -> bool:
    """Take the lease for oneself; False if somebody has it."""
    return bool(ex.run(take_lease, key.params | {"me": me, "now": now, "until": until}))


class Stop(NamedTuple):
    """The event at which a subscription stopped: its position; its part where others follow."""

    at: int
    part: int | None


def pause(ex: Executor, key: Key, now: int, stop: Stop | None, why: str | None) -> bool:
    """Pause a subscription; False if it is paused, or not there."""
    at, part = stop or (None, None)
    paused = {"now": now, "position": at, "stopped_part": part, "why": why}
    return bool(ex.run(_pause, key.params | paused))


def resume(ex: Executor, key: Key) -> bool:
    """Let a paused subscription go on; False if it is not paused, or not there."""
    return bool(ex.run(_resume, key.params))


def remove(ex: Executor, key: Key) -> bool:
    """Forget a subscription; False if there is none."""
    return bool(ex.run(_remove, key.params))


def listed(ex: Executor, space_id: int) -> Sequence[Row]:
    """Return a row for each subscription of a space, or of those over all of a branch."""
    return ex.rows(_of_space, {"id": space_id})


def listed_on(ex: Executor, branch_id: int) -> Sequence[Row]:
    """Return a row for each subscription of a branch."""
    return ex.rows(_all, {"branch_id": branch_id, "feed": all_spaces(branch_id)})


def any_owned(ex: Executor, now: int) -> bool:
    """Say whether anybody reads on at all, in this process or another."""
    return bool(ex.rows(_any_owned, {"now": now}))
