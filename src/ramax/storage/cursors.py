"""How far a subscription has come: a row of the checkpoints, moved by compare-and-set only.

A reader of one space counts sequences. A reader of all spaces counts event ids; it belongs to no
space, and its rows have `ALL_SPACES` where others have the id of theirs (ADR-0046).
"""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.checkpoints import event_id_at, start_checkpoint
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

ALL_SPACES = 0
"""No space ever has this id: they begin at 1."""


class Position(NamedTuple):
    """A place in the order of a reader: of a space by sequence, of all spaces by event id."""

    space_id: int
    name: str
    at: int


@Statement
def _read(t: Tables) -> sa.Select[Any]:
    c = t.checkpoints.c
    return sa.select(c.last_space_sequence, c.last_event_id).where(
        c.space_id == p("space_id"), c.name == p("name")
    )


def _owned(t: Tables) -> sa.ColumnElement[bool]:
    s = t.subscriptions.c
    mine = (s.space_id == p("space"), s.name == p("subscription"), s.partition == p("part"))
    return sa.exists().where(*mine, s.owner == p("me"))


def _move(t: Tables, place: sa.Column[Any]) -> sa.Update:
    c = t.checkpoints.c
    is_there = (c.space_id == p("space"), c.name == p("reader"), place == p("expected"))
    return sa.update(t.checkpoints).where(*is_there, _owned(t))


@Statement
def move_in_space(t: Tables) -> sa.Update:
    """Move a reader of a space that still has its lease."""
    return _move(t, t.checkpoints.c.last_space_sequence).values(
        last_event_id=p("event_id"), last_space_sequence=p("sequence"), updated_at=p("now")
    )


@Statement
def move_in_feed(t: Tables) -> sa.Update:
    """Move a reader of all spaces that still has its lease."""
    return _move(t, t.checkpoints.c.last_event_id).values(
        last_event_id=p("event_id"), updated_at=p("now")
    )


@Statement
def _pass_in_space(t: Tables) -> sa.Update:
    c = t.checkpoints.c
    is_before = (c.space_id == p("space"), c.name == p("reader"), c.last_space_sequence < p("at"))
    return (
        sa.update(t.checkpoints)
        .where(*is_before)
        .values(last_event_id=p("event_id"), last_space_sequence=p("at"), updated_at=p("now"))
    )


@Statement
def _pass_in_feed(t: Tables) -> sa.Update:
    c = t.checkpoints.c
    is_before = (c.space_id == p("space"), c.name == p("reader"), c.last_event_id < p("at"))
    return (
        sa.update(t.checkpoints)
        .where(*is_before)
        .values(last_event_id=p("at"), updated_at=p("now"))
    )


@Statement
def _remove(t: Tables) -> sa.Delete:
    c = t.checkpoints.c
    return sa.delete(t.checkpoints).where(c.space_id == p("space_id"), c.name == p("name"))


def read(ex: Executor, space_id: int, name: str) -> int | None:
    """Return where a reader is, None if it has never begun."""
    rows = ex.rows(_read, {"space_id": space_id, "name": name})
    return None if not rows else int(rows[0][1 if space_id == ALL_SPACES else 0])


def begin(ex: Executor, place: Position, now: int) -> None:
    """Set a reader to its first position, unless it has one."""
    over_all = place.space_id == ALL_SPACES
    event_id = place.at if over_all else event_id_at(ex, place.space_id, place.at)
    ex.run(
        start_checkpoint,
        {
            "space_id": place.space_id,
            "name": place.name,
            "event_id": event_id,
            "sequence": 0 if over_all else place.at,
            "now": now,
        },
    )


class Owner(NamedTuple):
    """Who moves a reader: the owner of which subscription."""

    me: str
    subscription: str
    part: int


def move(
    ex: Executor, to: Position, *, expected: int, by: Owner, event_id: int | None, now: int
) -> bool:
    """Move a reader from ``expected``; False, and nothing done, if it is not there, or another's.

    Args:
        event_id: The id of the event at the place; looked up where it is None.
    """
    moved = {"space": to.space_id, "reader": to.name, "expected": expected, "now": now}
    moved |= by._asdict()
    if to.space_id == ALL_SPACES:
        return bool(ex.run(move_in_feed, moved | {"event_id": to.at}))
    if event_id is None:
        event_id = event_id_at(ex, to.space_id, to.at)
    return bool(ex.run(move_in_space, moved | {"event_id": event_id, "sequence": to.at}))


def pass_over(ex: Executor, to: Position, now: int) -> None:
    """Move a reader forward to a place, whoever owns it: that one finds out at its next move."""
    moved = {"space": to.space_id, "reader": to.name, "at": to.at, "now": now}
    if to.space_id == ALL_SPACES:
        ex.run(_pass_in_feed, moved)
    else:
        ex.run(_pass_in_space, moved | {"event_id": event_id_at(ex, to.space_id, to.at)})


def remove(ex: Executor, space_id: int, name: str) -> None:
    """Forget a reader."""
    ex.run(_remove, {"space_id": space_id, "name": name})
