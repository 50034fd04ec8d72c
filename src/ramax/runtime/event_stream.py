"""Reading a log page by page: a page in memory, no connection between two of them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from ramax.core.domain import Domain
from ramax.core.query import Search
from ramax.core.selection import Selection
from ramax.errors import SpaceNotFoundError
from ramax.runtime.core import Core, SpaceLike
from ramax.storage import events
from ramax.storage.cancellation import to_its_end
from ramax.storage.events import as_event, recorded_events
from ramax.storage.executors import Row
from ramax.storage.search import read_matches
from ramax.values import Event, Space

_EVERYTHING = (Search(),)


@dataclass(frozen=True, slots=True)
class EventStream:
    """The events of a space that are selected, in today's shape where there is a domain."""

    core: Core
    space: SpaceLike
    domain: Domain | None
    selected: Selection

    async def read(self) -> AsyncGenerator[Event]:
        """Yield them in order.

        Raises:
            SpaceNotFoundError: There is no such space; by the first step.
            UpcastError: An upcaster failed.
        """
        space = await self.core.resolve(self.space)
        left = self.selected.limit
        async with aclosing(self._pages(space)) as pages:
            async for page in pages:
                if self._is_as_stored:
                    for event in recorded_events(page, self.domain, space.space_name):
                        yield event
                    continue
                for parts in self._parts(page, self.domain, space.space_name):
                    for event in parts:
                        yield event
                    left -= 1
                    if left == 0:
                        return

    async def _pages(self, space: Space) -> AsyncGenerator[Sequence[Row]]:
        """Yield pages; where a read is a round trip, the next one is on its way meanwhile."""
        chosen, counts = self.selected, self._is_as_stored
        after, upto, left = chosen.after, chosen.upto, chosen.limit
        ahead: asyncio.Task[Sequence[Row]] | None = None
        try:
            while left > 0:
                size = chosen.batch_size if self._evolves else min(chosen.batch_size, left)
                early = ahead is not None
                page = await (ahead or self._page(space, after, upto, size))
                ahead = None
                if page and chosen.reverse:
                    upto = page[-1][2] - 1
                elif page:
                    after = page[-1][2]
                full = len(page) == size
                left -= len(page) if counts else 0
                if full and counts and left > 0 and self.core.reader.far:
                    size = min(chosen.batch_size, left)
                    ahead = asyncio.create_task(self._page(space, after, upto, size))
                    await asyncio.sleep(0)  # so that it has been sent
                yield page
                if not full and (chosen.reverse or not early):
                    return  # one that was read early lacks what has come since
        finally:
            if ahead is not None:  # the reader has left; a connection would not survive a cancel
                with suppress(Exception):
                    await to_its_end(ahead)

    @property
    def _is_as_stored(self) -> bool:
        """Whether each stored event is one event, so that rows can be counted."""
        return self.domain is None or not self.domain.has_versions

    @property
    def _evolves(self) -> bool:
        """Whether an event may become one that is, or is not, among those searched for."""
        searches = self.selected.searches
        types = any(search.types for search in searches or ())
        return types and self.domain is not None and bool(self.domain.upcast_types)

    async def _page(self, space: Space, after: int, upto: int, limit: int) -> Sequence[Row]:
        chosen, space_id = self.selected, space.space_id
        if chosen.plain:
            page = await self.core.read(
                lambda ex: events.read_page(ex, space_id, after=after, upto=upto, limit=limit)
            )
        else:
            page = await self.core.read(
                lambda ex: read_matches(
                    ex,
                    space_id,
                    self._stored_searches(),
                    after=after,
                    upto=upto,
                    since=chosen.since,
                    until=chosen.until,
                    limit=limit,
                    reverse=chosen.reverse,
                )
            )
        if not page and space_id:
            await self._refuse_deleted(space)
        return page

    async def _refuse_deleted(self, space: Space) -> None:
        if await self.core.read(lambda ex: events.read_head(ex, space.space_id)) is None:
            raise SpaceNotFoundError(space.space_name)

    def _stored_searches(self) -> Sequence[Search]:
        """Search also for the types that upcasters turn into others: perhaps into these."""
        searches = self.selected.searches or _EVERYTHING
        if not self._evolves or self.domain is None:
            return searches
        old = self.domain.upcast_types
        return [
            search._replace(types=tuple(old.union(search.types))) if search.types else search
            for search in searches
        ]

    def _parts(
        self, page: Sequence[Row], domain: Domain | None, space_name: str
    ) -> Iterable[Iterable[Event]]:
        """Yield, for each stored event that counts, what has become of it."""
        for row in page:
            parts = list(recorded_events([row], domain, space_name))
            if self._evolves:
                parts = self._wanted(as_event(row), parts)
            if parts:
                yield reversed(parts) if self.selected.reverse else parts

    def _wanted(self, stored: Event, parts: Sequence[Event]) -> list[Event]:
        """Keep the parts of a type that is searched for; entity and tags are the stored ones."""
        found = [
            search
            for search in self.selected.searches or ()
            if search._replace(types=()).matches("", stored.entity_id, stored.tags)
        ]
        return [
            part
            for part in parts
            if any(not search.types or part.event_type in search.types for search in found)
        ]
