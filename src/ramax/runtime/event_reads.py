"""Reading the log as users see it: by id, by sequence, by what a query matches."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from ramax.core.domain import Domain
from ramax.core.limits import check_entity_id, check_name, check_optional_id, check_sequence
from ramax.core.query import Query, Search
from ramax.core.selection import BATCH, Selection, check_batch_size, select
from ramax.errors import EventNotFoundError, SpaceNotFoundError
from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.event_stream import EventStream
from ramax.storage import events, feed
from ramax.storage.events import stored_events
from ramax.values import Event, Space


class EventReads:
    """Reads the logs of spaces, given as `Space`, name or id.

    ``from_*`` is exclusive, ``to_*`` inclusive; nothing is limited unless asked for.
    """

    def __init__(self, core: Core, domain: Domain | None = None) -> None:
        """Make the log of a database, or the one of a store, whose domain upcasts what is read."""
        self._core, self._domain = core, domain

    async def get_entity_version(self, space: SpaceLike, entity_id: str) -> int:
        """Return how many events an entity has; 0 without any."""
        check_entity_id(entity_id, "entity id")
        found = await self._core.resolve(space)
        head = await self.get_space_latest_sequence(found)
        return await self._core.read(
            lambda ex: events.read_count(ex, found.space_id, entity_id, upto=head, most=head)
        )

    async def get_event(self, event_id: int) -> Event:
        """Return the event of that id, of whichever space.

        Raises:
            EventNotFoundError: There is none.
        """
        check_sequence(event_id, "event id")
        branch = await self._core.branch()
        found = await self._core.read(lambda ex: events.read_event(ex, event_id, branch))
        if found is None:
            raise EventNotFoundError(event_id)
        return found

    async def get_events(
        self,
        space: SpaceLike,
        entity_id: str,
        *,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """Return the events of one entity, in order."""
        stream = self.stream_entity_events(
            space, entity_id, from_sequence=from_sequence, to_sequence=to_sequence, limit=limit
        )
        return [event async for event in stream]

    def stream(  # noqa: PLR0913 - what a reader may ask for
        self,
        space: SpaceLike,
        query: Query | None = None,
        *,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        reverse: bool = False,
        limit: int | None = None,
        batch_size: int = BATCH,
    ) -> AsyncGenerator[Event]:
        """Yield the events of a space that a query matches; a page in memory.

        No connection is held between two pages.

        Args:
            query: By type, entity and tag; every event without one.
            from_time: Aware; only events after it. Times are compared, not searched: with nothing
                else to go by, the log is read through.
            to_time: Aware; only events until then, it included.
            reverse: The newest first.
            limit: At most so many stored events.

        Raises:
            DataError: A bound breaks a rule; raised at once.
            SpaceNotFoundError: There is no such space; raised by the first step.
        """
        selected = select(
            query,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            from_time=from_time,
            to_time=to_time,
            reverse=reverse,
            limit=limit,
            batch_size=batch_size,
        )
        return self._stream(space, selected)

    async def last(self, space: SpaceLike, count: int, query: Query | None = None) -> list[Event]:
        """Return the newest ``count`` stored events that a query matches, in order."""
        found = [event async for event in self.stream(space, query, reverse=True, limit=count)]
        found.reverse()
        return found

    def caused_by(
        self, space: SpaceLike, event: Event | int, **options: Any
    ) -> AsyncGenerator[Event]:
        """Yield the events whose cause is an event, given as itself or by its id.

        Args:
            options: Bounds and direction, as of `stream`.
        """
        event_id = event.event_id if isinstance(event, Event) else event
        check_optional_id(event_id, None)
        return self._stream(space, select(Search(causation_id=event_id), **options))

    def correlated(
        self, space: SpaceLike, correlation_id: str, **options: Any
    ) -> AsyncGenerator[Event]:
        """Yield the events of one correlation id.

        Args:
            options: Bounds and direction, as of `stream`.
        """
        check_name(correlation_id, "correlation_id")
        return self._stream(space, select(Search(correlation_id=correlation_id), **options))

    def stream_space_events(
        self,
        space: SpaceLike,
        *,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        event_types: Sequence[str] | None = None,
        batch_size: int = BATCH,
    ) -> AsyncGenerator[Event]:
        """Yield the events of a space in order, of some types if they are given; see `stream`."""
        selected = select(
            None if event_types is None else Query(types=event_types),
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            limit=0 if event_types is not None and not event_types else None,
            batch_size=batch_size,
        )
        return self._stream(space, selected)

    def stream_entity_events(
        self,
        space: SpaceLike,
        entity_id: str,
        *,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        batch_size: int = BATCH,
        limit: int | None = None,
    ) -> AsyncGenerator[Event]:
        """Yield the events of one entity in order, at most ``limit``; see `stream`."""
        selected = select(
            Query(entities=[entity_id]),
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            limit=limit,
            batch_size=batch_size,
        )
        return self._stream(space, selected)

    def _stream(self, space: SpaceLike, selected: Selection) -> AsyncGenerator[Event]:
        return EventStream(self._core, space, self._domain, selected).read()

    async def stream_all_events(
        self, *, from_event_id: int = 0, batch_size: int = BATCH
    ) -> AsyncIterator[Event]:
        """Yield the events of all spaces by ``event_id``, up to where nothing can appear below.

        The order within each space is its sequence. Ends at the newest safe event; go on later
        from the last ``event_id``.
        """
        check_sequence(from_event_id, "from_event_id")
        check_batch_size(batch_size)
        after, branch = from_event_id, await self._core.branch()
        while True:
            upto = await self._core.read(feed.safe_event_id)
            while after < upto:
                page = await self._core.read(
                    lambda ex, start=after, end=upto: events.read_all_page(  # type: ignore[misc]
                        ex, after=start, upto=end, limit=batch_size, branch_id=branch
                    )
                )
                for event in stored_events(page):
                    yield event
                after = page[-1][0] if len(page) == batch_size else upto
            if upto >= await self._core.read(feed.safe_event_id):
                return

    async def get_space_latest_sequence(self, space: SpaceLike) -> int:
        """Return the newest sequence of a space, 0 before its first event.

        Raises:
            SpaceNotFoundError: There is no such space.
        """
        found = await self._core.resolve(space)
        if not found.space_id:
            return 0
        head = await self._core.read(lambda ex: events.read_head(ex, found.space_id))
        if head is None:
            raise SpaceNotFoundError(found.space_name)
        return head

    async def get_latest_event_id(self) -> int:
        """Return the highest event id ever given; it never goes back, 0 before the first."""
        return await self._core.read(events.read_last_id)


def todays(event: Event, domain: Domain | None, space: Space) -> Event:
    """Bring one event to today's shape: the first part of what upcasters make of it.

    Raises:
        EventNotFoundError: They drop it.
        UpcastError: One of them failed.
    """
    if domain is None:
        return event
    for part in domain.upcast([event], space.space_name):
        return part
    raise EventNotFoundError(event.event_id)
