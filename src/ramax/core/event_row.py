"""One event as a row of the log, and the events that are made of it: applied, and recorded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ramax.core.codec import decode
from ramax.core.tags import unpack_tags
from ramax.values import Commit, Event, applied_event, marked, recorded_event


class EventRow(NamedTuple):
    """One event on its way into the log; the order of its columns is the INSERT's."""

    sequence: int
    entity_id: str
    event_type: str
    payload: bytes
    micros: int
    causation_id: int | None
    correlation_id: str | None
    metadata: bytes | None
    version: int = 1
    tags: bytes | None = None


row_of: Callable[[Iterable[Any]], EventRow] = partial(tuple.__new__, EventRow)
"""Makes a row of its values, in a third of the time of the class itself."""


def as_applied(row: EventRow) -> Event:
    """Make the event that an applicator sees; its values are its own."""
    (
        sequence,
        entity_id,
        event_type,
        payload,
        micros,
        causation_id,
        correlation_id,
        metadata,
        version,
        tags,
    ) = row
    event = applied_event(
        sequence,
        entity_id,
        event_type,
        decode(payload),
        micros,
        causation_id,
        correlation_id,
        None if metadata is None else decode(metadata),
    )
    if version == 1 and tags is None:
        return event
    return marked(event, version, unpack_tags(tags))


def as_commit(
    space_id: int,
    rows: Sequence[EventRow],
    event_ids: Mapping[int, int],
    head: int,
    *,
    replayed: bool = False,
) -> Commit:
    """Make the answer to a command; ``event_ids`` maps sequences to the ids that were given."""
    events = partial(_as_events, space_id, rows, event_ids) if rows else ()
    return Commit(events, head, replayed)


def _as_events(
    space_id: int, rows: Sequence[EventRow], event_ids: Mapping[int, int]
) -> tuple[Event, ...]:
    return tuple([_as_recorded(space_id, row, event_ids[row.sequence]) for row in rows])


def _as_recorded(space_id: int, row: EventRow, event_id: int) -> Event:
    event = recorded_event(
        event_id,
        space_id,
        row.sequence,
        row.entity_id,
        row.event_type,
        decode(row.payload),
        row.micros,
        row.causation_id,
        row.correlation_id,
        None if row.metadata is None else decode(row.metadata),
    )
    if row.version == 1 and row.tags is None:
        return event
    return marked(event, row.version, unpack_tags(row.tags))
