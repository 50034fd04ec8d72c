"""Events in order from a position on: of one space by sequence, or of all by event id."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from ramax.cli.criteria import EVERY_EVENT, Criteria
from ramax.errors import CodecError, DataError
from ramax.runtime.database import Database
from ramax.values import Event, Space


class Feed:
    """Reads on from ``position``, the sequence (or event id) of the last event that was read."""

    def __init__(self, db: Database, space: Space | None) -> None:
        self._db, self.space = db, space
        self.position = 0
        self._names: dict[int, str] = {}

    async def newest(self) -> int:
        """Return the position of the newest event."""
        if self.space is None:
            return await self._db.events.get_latest_event_id()
        return await self._db.events.get_space_latest_sequence(self.space)

    async def step_back(self, lines: int, wanted: Criteria = EVERY_EVENT) -> None:
        """Move the position so that the newest ``lines`` events that are wanted come next."""
        if wanted == EVERY_EVENT:
            self.position = max(0, await self.newest() - lines)
            return
        newest: deque[int] = deque(maxlen=lines)
        self.position = 0
        if self.space is None:
            async for event in self.events(wanted=wanted):
                newest.append(event.event_id)
        elif lines:
            async for event in self._selected(self.space, wanted, reverse=True, limit=lines):
                newest.appendleft(event.space_sequence)
            self.position = await self.newest()
        if newest:
            self.position = newest[0] - 1

    async def events(
        self, upto: int | None = None, wanted: Criteria = EVERY_EVENT, *, reverse: bool = False
    ) -> AsyncIterator[Event]:
        """Yield what there is after the position, and move it along.

        Args:
            upto: The last position, inclusive.
            wanted: Only these events.
            reverse: The newest first; only of a space.

        Raises:
            SpaceNotFoundError: The space was deleted.
            CodecError: An event cannot be read.
        """
        found = self._of_all(upto, wanted)
        if self.space is not None:
            found = self._of_space(self.space, upto, wanted, reverse=reverse)
        try:
            async for event in found:
                yield event
        except DataError as error:
            what = f"the first event after {self.position}"
            rule = f"{error.rule}; `ramax verify` names all that cannot be read"
            raise CodecError(what, error.value, rule) from error

    async def _of_all(self, upto: int | None, wanted: Criteria) -> AsyncIterator[Event]:
        async for event in self._db.events.stream_all_events(from_event_id=self.position):
            if upto is not None and event.event_id > upto:
                return
            self.position = event.event_id
            if wanted.fit(event):
                yield event

    async def _of_space(
        self, space: Space, upto: int | None, wanted: Criteria, *, reverse: bool
    ) -> AsyncIterator[Event]:
        self.space = await self._db.spaces.get(space)  # it may have got its row, or be gone
        stream = self._selected(
            self.space, wanted, from_sequence=self.position, to_sequence=upto, reverse=reverse
        )
        async for event in stream:
            if not reverse:
                self.position = event.space_sequence
            yield event

    def _selected(self, space: Space, wanted: Criteria, **bounds: Any) -> AsyncIterator[Event]:
        return self._db.events.stream(
            space, wanted.query, from_time=wanted.since, to_time=wanted.until, **bounds
        )

    async def name_of(self, event: Event) -> str:
        """Return the name of the space of an event; of a deleted one, its id."""
        if self.space is not None:
            return self.space.space_name
        if event.space_id not in self._names:
            found = await self._db.spaces.find_by_id(event.space_id)
            self._names[event.space_id] = f"{event.space_id}" if found is None else found.space_name
        return self._names[event.space_id]


async def feed_of(db: Database, space: str | None) -> Feed:
    """Make the feed of a space, or of all without a name.

    Raises:
        SpaceNotFoundError: There is no space of that name.
    """
    return Feed(db, None if space is None else await db.spaces.get(space))
