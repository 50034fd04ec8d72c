"""Write plans made by hand, to see what each database does with them."""

from typing import Any

import ramax
from ramax.core.codec import encode
from ramax.core.event_row import EventRow
from ramax.core.guard import Guard
from ramax.core.space_write import SpaceWrite
from ramax.storage.backend import write_plan
from ramax.storage.plan import EventIds, Extra, WritePlan

NEW = Guard(0, 0, 0, 0, None)
"""The guard of a space that nobody has written to."""


def event(sequence: int, event_type: str = "noted") -> EventRow:
    return EventRow(
        sequence, "e", event_type, encode({"n": sequence}, "payload"), 1000, None, None, None
    )


def appended(space_id: int, count: int = 1, guard: Guard = NEW, **more: Any) -> SpaceWrite:
    """``count`` events after the guard's."""
    first = guard.last_sequence + 1
    events = [event(sequence) for sequence in range(first, first + count)]
    return SpaceWrite(space_id, guard, events=events, last_timestamp=1000, **more)


def plan(*spaces: SpaceWrite, extras: tuple[Extra, ...] = ()) -> WritePlan:
    return WritePlan(spaces, b"token", 2000, extras)


async def write(database: ramax.Database, wanted: WritePlan) -> dict[int, EventIds]:
    """Write a plan in a transaction of its own."""
    return await database._core.locked("a test", lambda ex: write_plan(ex, wanted))
