"""How far a subscription has come: a row of the checkpoints, moved by compare-and-set only.

Where upcasters make several events of one, it counts the parts that are done of it (ADR-0071).
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
from ramax.values import MAIN_BRANCH

ALL_SPACES = 0
"""No space ever has this id: they begin at 1. That of another branch than main is negative."""


def all_spaces(branch_id: int) -> int:
    """Return what a reader of all spaces of a branch has for an id."""
    return ALL_SPACES if branch_id == MAIN_BRANCH else -branch_id


def branch_of(space_id: int) -> int:
    """Return the branch of a reader of all spaces, by what it has for an id."""
    return -space_id or MAIN_BRANCH


def over_all(space_id: int) -> bool:
    """Say whether that is the id of a reader of all spaces."""
    return space_id <= ALL_SPACES


class Place(NamedTuple):
    """Behind an event, by sequence or over all spaces by id, and behind so many parts of the next.

    The next one is that of ``at`` + 1, also where a filter leaves it out or no space has it.
    """

    at: int
    parts: int = 0

    def __str__(self) -> str:
        return str(self.at) if not self.parts else f"{self.at} and {self.parts} parts"


class Position(NamedTuple):
    """The place of one reader."""

    space_id: int
    name: str
    place: Place


@Statement
def _read(t: Tables) -> sa.Select[Any]:
    c = t.checkpoints.c
    return sa.select(c.last_space_sequence, c.last_event_id, c.parts_done).where(
        c.space_id == p("space_id"), c.name == p("name")
    )


def _owned(t: Tables) -> sa.ColumnElement[bool]:
    s = t.subscriptions.c
    mine = (s.space_id == p("space"), s.name == p("subscription"), s.partition == p("part"))
    return sa.exists().where(*mine, s.owner == p("me"))


def _move(t: Tables, place: sa.Column[Any]) -> sa.Update:
    c = t.checkpoints.c
    mine = (c.space_id == p("space"), c.name == p("reader"))
    is_there = (place == p("expected"), c.parts_done == p("expected_parts"))
    return sa.update(t.checkpoints).where(*mine, *is_there, _owned(t))


@Statement
def move_in_space(t: Tables) -> sa.Update:
    """Move a reader of a space that still has its lease."""
    return _move(t, t.checkpoints.c.last_space_sequence).values(
        last_event_id=p("event_id"),
        last_space_sequence=p("sequence"),
        parts_done=p("parts"),
        updated_at=p("now"),
    )


@Statement
def move_in_feed(t: Tables) -> sa.Update:
    """Move a reader of all spaces that still has its lease."""
    return _move(t, t.checkpoints.c.last_event_id).values(
        last_event_id=p("event_id"), parts_done=p("parts"), updated_at=p("now")
    )


def _is_before(t: Tables, place: sa.Column[Any]) -> sa.ColumnElement[bool]:
    c = t.checkpoints.c
    mine = (c.space_id == p("space")) & (c.name == p("reader"))
    within = (place == p("at")) & (c.parts_done < p("parts"))
    return mine & ((place < p("at")) | within)


@Statement
def _pass_in_space(t: Tables) -> sa.Update:
    return (
        sa.update(t.checkpoints)
        .where(_is_before(t, t.checkpoints.c.last_space_sequence))
        .values(
            last_event_id=p("event_id"),
            last_space_sequence=p("at"),
            parts_done=p("parts"),
            updated_at=p("now"),
        )
    )


@Statement
def _pass_in_feed(t: Tables) -> sa.Update:
    return (
        sa.update(t.checkpoints)
        .where(_is_before(t, t.checkpoints.c.last_event_id))
        .values(last_event_id=p("at"), parts_done=p("parts"), updated_at=p("now"))
    )


@Statement
def _remove(t: Tables) -> sa.Delete:
    c = t.checkpoints.c
    return sa.delete(t.checkpoints).where(c.space_id == p("space_id"), c.name == p("name"))


def read(ex: Executor, space_id: int, name: str) -> Place | None:
    """Return where a reader is, None if it has never begun."""
    rows = ex.rows(_read, {"space_id": space_id, "name": name})
    if not rows:
        return None
    sequence, event_id, parts = rows[0]
    return Place(event_id if over_all(space_id) else sequence, parts)


def begin(ex: Executor, space_id: int, name: str, at: int, now: int) -> None:
    """Set a reader to its first place, behind an event, unless it has one."""
    everywhere = over_all(space_id)
    event_id = at if everywhere else event_id_at(ex, space_id, at)
    row = {"event_id": event_id, "sequence": 0 if everywhere else at, "now": now}
    ex.run(start_checkpoint, {"space_id": space_id, "name": name} | row)


class Owner(NamedTuple):
    """Who moves a reader: the owner of which subscription."""

    me: str
    subscription: str
    part: int


def move(
    ex: Executor, to: Position, *, expected: Place, by: Owner, event_id: int | None, now: int
) -> bool:
    """Move a reader from ``expected``; False, and nothing done, if it is not there, or another's.

    Args:
        event_id: The id of the event at the place; looked up where it is None.
    """
    at, parts = to.place
    moved = {"space": to.space_id, "reader": to.name, "parts": parts, "now": now}
    moved |= {"expected": expected.at, "expected_parts": expected.parts} | by._asdict()
    if over_all(to.space_id):
        return bool(ex.run(move_in_feed, moved | {"event_id": at}))
    if event_id is None:
        event_id = event_id_at(ex, to.space_id, at)
    return bool(ex.run(move_in_space, moved | {"event_id": event_id, "sequence": at}))


def pass_over(ex: Executor, to: Position, now: int) -> None:
    """Move a reader forward to a place, whoever owns it: that one finds out at its next move."""
    at, parts = to.place
    moved = {"space": to.space_id, "reader": to.name, "at": at, "parts": parts, "now": now}
    if over_all(to.space_id):
        ex.run(_pass_in_feed, moved)
    else:
        ex.run(_pass_in_space, moved | {"event_id": event_id_at(ex, to.space_id, at)})


def remove(ex: Executor, space_id: int, name: str) -> None:
    """Forget a reader."""
    ex.run(_remove, {"space_id": space_id, "name": name})
