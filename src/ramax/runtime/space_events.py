"""The log of one space as its store offers it: the verbs of `EventLog` without ``space``."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

from ramax.core.domain import Domain
from ramax.core.limits import check_sequence
from ramax.core.query import Query
from ramax.core.selection import BATCH
from ramax.errors import EventNotFoundError
from ramax.runtime.core import Core
from ramax.runtime.event_log import EventLog
from ramax.runtime.event_reads import todays
from ramax.storage.events import read_event_of
from ramax.values import Event, NewEvent, Space


class SpaceEvents:
    """The log of one space: the verbs of `EventLog` without ``space``.

    Upcasters of the domain see what is read: events come in today's shape.
    """

    def __init__(self, core: Core, space: Space, domain: Domain | None) -> None:
        self._core, self._space, self._domain = core, space, domain
        self._log = EventLog(core, domain)

    async def append(
        self, entity_id: str, event_type: str, payload: Mapping[str, Any], **options: Any
    ) -> Event:
        """See `EventLog.append`."""
        return await self._log.append(self._space, entity_id, event_type, payload, **options)

    async def append_many(self, new_events: Iterable[NewEvent], **options: Any) -> list[Event]:
        """See `EventLog.append_many`; the domain's extractor names entities."""
        return await self._log.append_many(self._space, new_events, **options)

    async def append_if(
        self, new_events: Iterable[NewEvent], *, no_match: Query, after: int = 0, **options: Any
    ) -> list[Event]:
        """See `EventLog.append_if`; the query is about stored types."""
        return await self._log.append_if(
            self._space, new_events, no_match=no_match, after=after, **options
        )

    async def get_entity_version(self, entity_id: str) -> int:
        """See `EventReads.get_entity_version`."""
        return await self._log.get_entity_version(self._space, entity_id)

    async def get_event(self, event_id: int) -> Event:
        """Return an event of this space; the first part of one that upcasters split.

        Raises:
            EventNotFoundError: There is none of that id in this space, or upcasters drop it.
            SpaceNotFoundError: The space was deleted.
        """
        check_sequence(event_id, "event id")
        space = await self._core.resolve(self._space)
        found = await self._core.read(lambda ex: read_event_of(ex, space.space_id, event_id))
        if found is None:
            await self.get_space_latest_sequence()  # perhaps the whole space is gone
            raise EventNotFoundError(event_id)
        return todays(found, self._domain, space)

    async def get_events(self, entity_id: str, **options: Any) -> list[Event]:
        """See `EventReads.get_events`."""
        return await self._log.get_events(self._space, entity_id, **options)

    def stream(self, query: Query | None = None, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.stream`; types are today's, entities and tags the stored ones."""
        return self._log.stream(self._space, query, **options)

    async def last(self, count: int, query: Query | None = None) -> list[Event]:
        """See `EventReads.last`."""
        return await self._log.last(self._space, count, query)

    def caused_by(self, event: Event | int, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.caused_by`; only events of this space, wherever the cause is."""
        return self._log.caused_by(self._space, event, **options)

    def correlated(self, correlation_id: str, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.correlated`."""
        return self._log.correlated(self._space, correlation_id, **options)

    def stream_space_events(
        self,
        *,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        event_types: Sequence[str] | None = None,
        batch_size: int = BATCH,
    ) -> AsyncGenerator[Event]:
        """See `EventReads.stream_space_events`."""
        return self._log.stream_space_events(
            self._space,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            event_types=event_types,
            batch_size=batch_size,
        )

    def stream_entity_events(self, entity_id: str, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.stream_entity_events`."""
        return self._log.stream_entity_events(self._space, entity_id, **options)

    async def get_space_latest_sequence(self) -> int:
        """See `EventReads.get_space_latest_sequence`."""
        return await self._log.get_space_latest_sequence(self._space)
