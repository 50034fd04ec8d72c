"""The rows that find events by their tags; they commit with the events."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.space_write import SpaceWrite
from ramax.core.tags import unpack_tags
from ramax.storage.executors import Executor, Row
from ramax.storage.plan import Extra
from ramax.storage.search import among, listed
from ramax.storage.sql import Statement, beside
from ramax.storage.tables import Tables


@Statement
def _insert(t: Tables) -> sa.Insert:
    return sa.insert(t.event_tags).values(
        space_id=p("space_id"), tag=p("tag"), space_sequence=p("sequence")
    )


def tag_rows(writes: Iterable[SpaceWrite]) -> list[Extra]:
    """Make the rows of the tags of new events; nothing where no event has any."""
    rows = [
        {"space_id": write.space_id, "tag": tag, "sequence": event.sequence}
        for write in writes
        for event in write.events
        if event.tags is not None
        for tag in unpack_tags(event.tags)
    ]
    return [Extra(_insert, rows)] if rows else []


@Statement
def _of_events(t: Tables) -> sa.Select[Any]:
    g = t.event_tags.c
    return sa.select(g.space_sequence, g.tag).where(
        g.space_id == p("space_id"),
        among(t, g.tag, "tags"),
        g.space_sequence > p("after"),
        g.space_sequence <= p("upto"),
    )


@Statement
def _page(t: Tables) -> sa.Select[Any]:
    g, e = t.event_tags, t.events
    same = (e.c.space_id == g.c.space_id) & (e.c.space_sequence == g.c.space_sequence)
    source, its_event = beside(t, g, e, same, outer=True)
    place = sa.tuple_(g.c.tag, g.c.space_sequence)
    return (
        sa.select(g.c.tag, g.c.space_sequence, its_event.c.tags)
        .select_from(source)
        .where(
            g.c.space_id == p("space_id"),
            place > sa.tuple_(p("tag", type_=sa.Text()), p("sequence", type_=sa.BigInteger())),
        )
        .order_by(g.c.tag, g.c.space_sequence)
        .limit(p("limit", type_=sa.BigInteger()))
    )


def read_indexed(
    ex: Executor, space_id: int, tags: Iterable[str], *, after: int, upto: int
) -> set[tuple[int, str]]:
    """Return (sequence, tag) where one of the tags finds an event with after < sequence <= upto."""
    bounds = {"space_id": space_id, "after": after, "upto": upto}
    rows = ex.rows(_of_events, bounds | {"tags": listed(ex.tables, sorted(tags))})
    return {(sequence, tag) for sequence, tag in rows}


def read_tag_page(ex: Executor, space_id: int, after: tuple[str, int], limit: int) -> Sequence[Row]:
    """Read (tag, sequence, packed tags of that event or None) behind a tag and sequence."""
    place = {"tag": after[0], "sequence": after[1]}
    return ex.rows(_page, {"space_id": space_id, "limit": limit} | place)
