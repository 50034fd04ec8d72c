"""From events to statements of projections: what handlers make of them, confined to a space."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.core.unit import Project, SpaceUnit
from ramax.errors import ProjectionError
from ramax.storage import projections
from ramax.storage.events import applied_events
from ramax.storage.executors import Executor, Row
from ramax.storage.projections import Bound
from ramax.storage.tables import Tables
from ramax.values import Event, Space


def projector(tables: Tables) -> Project:
    """Return what makes bound statements of the events of spaces.

    It raises ProjectionError where a handler fails, or makes what cannot be confined.
    """

    def project(
        space_id: int, space_name: str, projection: Projection, events: Iterable[Event]
    ) -> Sequence[Bound]:
        return [
            bound
            for event in events
            for bound in _of_event(tables, space_id, space_name, projection, event)
        ]

    return project


def project_with(ex: Executor, units: Mapping[int, SpaceUnit]) -> None:
    """Let units make the statements of inline projections; to ask who has some costs more."""
    project = projector(ex.tables)
    for unit in units.values():
        unit.project = project


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
    events = applied_events(rows, domain, space.space_name)
    return projector(ex.tables)(space.space_id, space.space_name, projection, events)
