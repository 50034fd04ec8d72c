"""Events in order from a position on: of one space by sequence, or of all by event id."""

from collections.abc import AsyncIterator, Collection

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

    async def events(
        self, upto: int | None = None, types: Collection[str] = ()
    ) -> AsyncIterator[Event]:
        """Yield what there is after the position, and move it along.

        Args:
            upto: The last position, inclusive.
            types: Only events of these types; of all without any.

        Raises:
            SpaceNotFoundError: The space was deleted.
            CodecError: An event cannot be read.
        """
        found = self._of_all(upto, types)
        if self.space is not None:
            found = self._of_space(self.space, upto, types)
        try:
            async for event in found:
                yield event
        except DataError as error:
            what = f"the first event after {self.position}"
            rule = f"{error.rule}; `ramax verify` names all that cannot be read"
            raise CodecError(what, error.value, rule) from error

    async def _of_all(self, upto: int | None, types: Collection[str]) -> AsyncIterator[Event]:
        async for event in self._db.events.stream_all_events(from_event_id=self.position):
            if upto is not None and event.event_id > upto:
                return
            self.position = event.event_id
            if not types or event.event_type in types:
                yield event

    async def _of_space(
        self, space: Space, upto: int | None, types: Collection[str]
    ) -> AsyncIterator[Event]:
        self.space = await self._db.spaces.get(space)  # it may have got its row, or be gone
        stream = self._db.events.stream_space_events(
            self.space,
            from_sequence=self.position,
            to_sequence=upto,
            event_types=list(types) or None,
        )
        async for event in stream:
            self.position = event.space_sequence
            yield event

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
