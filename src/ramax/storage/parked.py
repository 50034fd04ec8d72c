"""Events that a subscription has put aside: the one that failed, and those of its entity behind it.

A row is `FAILED` until somebody says what to do, `WAITING` behind an earlier one of its entity, or
`RETRY`: due again. Of an event that upcasters split, each part has a row of its own.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.cursors import branch_of, over_all
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

FAILED: Final = 0
WAITING: Final = 1
RETRY: Final = 2

WHOLE: Final = -1
"""The part of what was parked before parts were told apart: all of them."""

STATES: Final = {FAILED: "failed", WAITING: "waiting", RETRY: "retry"}


class Reader(NamedTuple):
    """Whose events: a subscription of one space, or one over all (`cursors.over_all`)."""

    space_id: int
    name: str

    def params(self, space_id: int) -> dict[str, Any]:
        """The parameters that name this reader's rows in a space."""
        over = int(over_all(self.space_id))
        return {"id": space_id, "reader": self.name, "over": over}


def _is(t: Tables) -> sa.ColumnElement[bool]:
    c = t.parked.c
    return (c.space_id == p("id")) & (c.subscription == p("reader")) & (c.over_all == p("over"))


def _is_one(t: Tables) -> sa.ColumnElement[bool]:
    c = t.parked.c
    return _is(t) & (c.space_sequence == p("sequence")) & (c.part == p("part"))


@Statement
def _add(t: Tables) -> sa.Insert:
    return sa.insert(t.parked).values(
        space_id=p("id"),
        subscription=p("reader"),
        over_all=p("over"),
        space_sequence=p("sequence"),
        part=p("part"),
        entity_id=p("entity"),
        state=p("state"),
        attempts=p("attempts"),
        error=p("error"),
        parked_at=p("now"),
    )


@Statement
def _is_parked(t: Tables) -> sa.Select[Any]:
    c = t.parked.c
    return sa.select(c.space_sequence).where(_is(t), c.entity_id == p("entity")).limit(1)


@Statement
def _change(t: Tables) -> sa.Update:
    return (
        sa.update(t.parked)
        .where(_is_one(t))
        .values(
            state=p("to"),
            attempts=t.parked.c.attempts + p("more", type_=sa.BigInteger()),
            error=p("why"),
        )
    )


@Statement
def _retry(t: Tables) -> sa.Update:
    return sa.update(t.parked).where(_is_one(t), t.parked.c.state == p("was")).values(state=p("to"))


@Statement
def _remove(t: Tables) -> sa.Delete:
    return sa.delete(t.parked).where(_is_one(t))


@Statement
def _remove_all(t: Tables) -> sa.Delete:
    return sa.delete(t.parked).where(_is(t))


def _listed(t: Tables) -> sa.Select[Any]:
    c = t.parked.c
    return sa.select(
        c.space_id,
        c.space_sequence,
        c.part,
        c.entity_id,
        c.state,
        c.attempts,
        c.error,
        c.parked_at,
    ).order_by(c.space_id, c.space_sequence, c.part)


@Statement
def _of_space(t: Tables) -> sa.Select[Any]:
    return _listed(t).where(_is(t))


@Statement
def _of_feed(t: Tables) -> sa.Select[Any]:
    """Of a reader of all spaces; names none on purpose."""
    c, s = t.parked.c, t.spaces.c
    branch = sa.select(s.branch_id).where(s.space_id == c.space_id).scalar_subquery()
    mine = (c.subscription == p("reader"), c.over_all == p("over"), branch == p("branch_id"))
    return _listed(t).where(*mine)


class Parked(NamedTuple):
    """One event that is put aside; ``state`` is `FAILED`, `WAITING` or `RETRY`."""

    space_id: int
    space_sequence: int
    part: int
    entity_id: str
    state: int
    attempts: int
    error: str | None
    parked_at: int


def add(ex: Executor, reader: Reader, event: Parked) -> None:
    """Put an event aside, in the caller's transaction, which moves the reader past it."""
    row = {"sequence": event.space_sequence, "part": event.part, "entity": event.entity_id}
    why = {"state": event.state, "attempts": event.attempts, "error": event.error}
    why["now"] = event.parked_at
    ex.run(_add, reader.params(event.space_id) | row | why)


def is_parked(ex: Executor, reader: Reader, space_id: int, entity_id: str) -> bool:
    """Say whether an event of the entity is put aside, so that later ones have to follow it."""
    return bool(ex.rows(_is_parked, reader.params(space_id) | {"entity": entity_id}))


def failed_again(ex: Executor, reader: Reader, event: Parked, attempts: int, error: str) -> None:
    """Note that an event was tried again, and failed."""
    one = {"sequence": event.space_sequence, "part": event.part}
    changed = {"to": FAILED, "more": attempts, "why": error}
    ex.run(_change, reader.params(event.space_id) | one | changed)


def retry(ex: Executor, reader: Reader, space_id: int, sequence: int, part: int) -> bool:
    """Let a failed event be tried again; False if there is no such one."""
    wanted = {"sequence": sequence, "part": part, "was": FAILED, "to": RETRY}
    return bool(ex.run(_retry, reader.params(space_id) | wanted))


def remove(ex: Executor, reader: Reader, space_id: int, sequence: int, part: int) -> bool:
    """Take an event out; False if it was not there."""
    return bool(ex.run(_remove, reader.params(space_id) | {"sequence": sequence, "part": part}))


def remove_all(ex: Executor, reader: Reader, space_id: int) -> None:
    """Take out all events of a reader in a space."""
    ex.run(_remove_all, reader.params(space_id))


def listed(ex: Executor, reader: Reader) -> list[Parked]:
    """Return the parked events of a reader, by space and sequence."""
    params = reader.params(reader.space_id)
    if over_all(reader.space_id):
        rows = ex.rows(_of_feed, params | {"branch_id": branch_of(reader.space_id)})
    else:
        rows = ex.rows(_of_space, params)
    return [Parked(*row) for row in rows]


def due(parked: Sequence[Parked]) -> list[Parked]:
    """Return those that may be handled now: nothing failed lies before them in their entity."""
    blocked: set[tuple[int, str]] = set()
    found = []
    for event in parked:
        entity = (event.space_id, event.entity_id)
        if event.state == FAILED:
            blocked.add(entity)
        elif entity not in blocked:
            found.append(event)
    return found
