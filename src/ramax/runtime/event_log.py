"""The log as users see it: ``db.events`` over all spaces, ``store.events`` over one."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from ramax.core.domain import Domain
from ramax.core.expectation import ExpectedVersion, ExpectedVersions, expect_no_match
from ramax.core.limits import check_entity_id, check_name, check_sequence
from ramax.core.query import Query
from ramax.errors import DataError, EventNotFoundError, SpaceNotFoundError
from ramax.runtime import commands
from ramax.runtime.core import Core, SpaceLike
from ramax.storage import events, feed
from ramax.storage.events import FOREVER, as_event, recorded_events
from ramax.values import Event, NewEvent, Space

BATCH = 1000


class EventLog:
    """Appends to and reads from the logs of spaces, given as `Space`, name or id.

    ``from_*`` is exclusive, ``to_*`` inclusive; nothing is limited unless asked for.
    """

    def __init__(self, core: Core, domain: Domain | None = None) -> None:
        """Make the log of a database, or the one of a store, whose domain upcasts what is read."""
        self._core, self._domain = core, domain

    async def append(  # noqa: PLR0913 - what an event has
        self,
        space: SpaceLike,
        entity_id: str,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        version: int | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        expected_sequence: int | None = None,
        expected_version: ExpectedVersion | None = None,
        idempotency_key: str | None = None,
    ) -> Event:
        """Record one fact; the pstate of the space stays behind until somebody folds it.

        Args:
            expected_version: How many events the entity has; or ``"none"``, or ``"exists"``.

        Raises:
            SpaceNotFoundError: There is no such space.
            ConcurrencyError: The space is not at ``expected_sequence``, or the entity not at
                ``expected_version``.
            DataError: A value breaks a rule; nothing was written.
        """
        new = NewEvent(
            event_type,
            payload,
            entity_id=entity_id,
            metadata=metadata,
            tags=tags,
            version=version,
        )
        recorded = await self.append_many(
            space,
            [new],
            causation_id=causation_id,
            correlation_id=correlation_id,
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
        )
        return recorded[0]

    async def append_many(
        self,
        space: SpaceLike,
        new_events: Iterable[NewEvent],
        *,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        expected_sequence: int | None = None,
        expected_version: ExpectedVersions | None = None,
        idempotency_key: str | None = None,
        domain: Domain | None = None,
    ) -> list[Event]:
        """Record facts in order, all or none; see `append`.

        Args:
            expected_version: Of the one entity that the facts are about; of several, by entity id.
        """
        commit = await commands.append(
            self._core,
            space,
            domain or self._domain,
            new_events,
            causation_id=causation_id,
            correlation_id=correlation_id,
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
        )
        return list(commit.events)

    async def append_if(
        self,
        space: SpaceLike,
        new_events: Iterable[NewEvent],
        *,
        no_match: Query,
        after: int = 0,
        causation_id: int | None = None,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        domain: Domain | None = None,
    ) -> list[Event]:
        """Record facts in order, unless an event after ``after`` matches the query.

        The query is the boundary of the decision: read what it asks for, decide, and append with
        the newest sequence of the space at the time of reading. What others add meanwhile counts
        only where it matches.

        Raises:
            ConcurrencyError: Something matches; ``actual`` is the newest such sequence.
            SpaceNotFoundError: There is no such space.
            DataError: A value breaks a rule; nothing was written.
        """
        commit = await commands.append(
            self._core,
            space,
            domain or self._domain,
            new_events,
            boundary=expect_no_match(no_match, after),
            causation_id=causation_id,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
        )
        return list(commit.events)

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
        found = await self._core.read(lambda ex: events.read_event(ex, event_id))
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

    def stream_space_events(
        self,
        space: SpaceLike,
        *,
        from_sequence: int = 0,
        to_sequence: int | None = None,
        event_types: Sequence[str] | None = None,
        batch_size: int = BATCH,
    ) -> AsyncGenerator[Event]:
        """Yield the events of a space in order; a page in memory, no connection between pages.

        Raises:
            DataError: A bound or a type breaks a rule; raised at once.
            SpaceNotFoundError: There is no such space; raised by the first step.
        """
        if isinstance(event_types, str):
            raise DataError("event_types", event_types, "give a list of types")
        for event_type in event_types or ():
            check_name(event_type, "event type")
        bounds = _bounds(from_sequence, to_sequence, None, batch_size)
        if event_types is None or self._domain is None or not self._domain.upcast_types:
            return self._stream(space, *bounds, event_types=event_types)
        stored = self._domain.upcast_types.union(event_types)  # what may become one of them
        return self._stream(space, *bounds, frozenset(event_types), event_types=list(stored))

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
        """Yield the events of one entity in order, at most ``limit``; see `stream_space_events`."""
        check_entity_id(entity_id, "entity id")
        bounds = _bounds(from_sequence, to_sequence, limit, batch_size)
        return self._stream(space, *bounds, entity_id=entity_id)

    async def _stream(  # noqa: PLR0917 - what bounds a stream
        self,
        space: SpaceLike,
        after: int,
        upto: int,
        left: int,
        batch_size: int,
        wanted: frozenset[str] | None = None,
        **only: Any,
    ) -> AsyncGenerator[Event]:
        found = await self._core.resolve(space)
        while left > 0:
            size = min(batch_size, left)
            page = await self._page(found, after, upto, size, only)
            for event in recorded_events(page, self._domain, found.space_name):
                if wanted is None or event.event_type in wanted:
                    yield event
            if len(page) < size:
                return
            left -= len(page)
            after = page[-1][2]

    async def _page(
        self, space: Space, after: int, upto: int, limit: int, only: Mapping[str, Any]
    ) -> Sequence[Any]:
        page = await self._core.read(
            lambda ex: events.read_page(
                ex, space.space_id, after=after, upto=upto, limit=limit, **only
            )
        )
        if not page and space.space_id:
            await self.get_space_latest_sequence(space)  # an empty page may be a deleted space
        return page

    async def stream_all_events(
        self, *, from_event_id: int = 0, batch_size: int = BATCH
    ) -> AsyncIterator[Event]:
        """Yield the events of all spaces by ``event_id``, up to where nothing can appear below.

        The order within each space is its sequence. Ends at the newest safe event; go on later
        from the last ``event_id``.
        """
        check_sequence(from_event_id, "from_event_id")
        _check_batch_size(batch_size)
        after = from_event_id
        while True:
            upto = await self._core.read(feed.safe_event_id)
            while after < upto:
                page = await self._core.read(
                    lambda ex, start=after, end=upto: events.read_all_page(  # type: ignore[misc]
                        ex, after=start, upto=end, limit=batch_size
                    )
                )
                for row in page:
                    yield as_event(row)
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


def _bounds(
    after: int, upto: int | None, limit: int | None, batch_size: int
) -> tuple[int, int, int, int]:
    """Check what bounds a stream; no bound is one that nothing reaches."""
    last = FOREVER if upto is None else upto
    most = FOREVER if limit is None else limit
    check_sequence(after, "from_sequence")
    check_sequence(last, "to_sequence")
    check_sequence(most, "limit")
    _check_batch_size(batch_size)
    return after, last, most, batch_size


def _check_batch_size(batch_size: int) -> None:
    check_sequence(batch_size, "batch_size")
    if batch_size == 0:
        raise DataError("batch_size", batch_size, "must be at least 1")
