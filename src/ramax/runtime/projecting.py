"""From events to rows of projections: the statements of inline ones, and what they have missed."""

from collections.abc import Iterable, Iterator, Sequence

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.core.unit import Project
from ramax.errors import ProjectionError, SpaceNotFoundError
from ramax.storage import checkpoints, projections
from ramax.storage.events import applied_events, read_head, read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.projections import Bound
from ramax.storage.spaces import move_state_version, take_lock
from ramax.storage.tables import Tables
from ramax.values import Event, Space


def projector(tables: Tables, space_id: int, space_name: str) -> Project:
    """Return what makes bound statements of the events of a space.

    It raises ProjectionError where a handler fails, or makes what cannot be confined.
    """

    def project(projection: Projection, events: Iterable[Event]) -> Sequence[Bound]:
        return [
            bound
            for event in events
            for bound in _of_event(tables, space_id, space_name, projection, event)
        ]

    return project


def _of_event(
    tables: Tables, space_id: int, space_name: str, projection: Projection, event: Event
) -> Iterator[Bound]:
    try:
        for statement in projection.statements(event):
            yield projections.bind(tables, space_id, projection, statement)
    except Exception as error:
        raise ProjectionError(
            space_name, projection.name, event.space_sequence, event.event_type, error
        ) from error


def project_rows(
    ex: Executor, projection: Projection, domain: Domain, space: Space, rows: Sequence[Row]
) -> Sequence[Bound]:
    """Make the statements of a page of the log, in today's shape of its events."""
    project = projector(ex.tables, space.space_id, space.space_name)
    return project(projection, applied_events(rows, domain, space.space_name))


def project_gap(ex: Executor, space: Space, domain: Domain, limit: int, now: int) -> int:
    """Project up to ``limit`` events that an inline projection lacks, the first that lacks any.

    Returns:
        How many there were; 0 if none lacks any.

    Raises:
        ProjectionError: A handler failed; what was projected before stays.
    """
    space_id = space.space_id
    take_lock(ex, space_id, space.space_name)
    head = read_head(ex, space_id) or 0
    found = checkpoints.read_all(ex, space_id)
    if found is None:
        raise SpaceNotFoundError(space.space_name)
    for projection in domain.projections.inline:
        after = found.get(projection.name, 0)
        if after < head:
            rows = read_page(ex, space_id, after=after, limit=limit)
            projections.run(ex, project_rows(ex, projection, domain, space, rows))
            projections.move(ex, space_id, projection.name, rows[-1][2], now)
            move_state_version(ex, space_id)  # whoever knew where it was is to look again
            return len(rows)
    return 0
