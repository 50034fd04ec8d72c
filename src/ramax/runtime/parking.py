"""The events that one subscription has put aside, and which of them may be tried again."""

from collections.abc import Callable, Sequence

from ramax.errors import SubscriptionLostError
from ramax.runtime.core import Core
from ramax.runtime.late_rows import with_late
from ramax.storage import parked
from ramax.storage.events import read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.parked import FAILED, WAITING, WHOLE, Parked, Reader
from ramax.values import Event

Write = Callable[[Executor], None]


class Parking:
    """Where events of a reader wait: whole entities, so that none of them overtakes another."""

    def __init__(self, core: Core, reader: Reader) -> None:
        self._core, self._reader = core, reader
        self.any = True
        """Whether there may be some; nobody but the owner of the subscription adds any."""

    async def holds(self, event: Event) -> bool:
        """Say whether an event has to wait behind others of its entity."""
        return await self._core.read(
            lambda ex: parked.is_parked(ex, self._reader, event.space_id, event.entity_id)
        )

    def failed(self, event: Event, attempts: int, error: str) -> Write:
        """Return what puts an event aside that failed."""
        return self._add(event, FAILED, attempts, error)

    def behind(self, event: Event) -> Write:
        """Return what puts an event aside because of others of its entity."""
        return self._add(event, WAITING, 0, None)

    def _add(self, event: Event, state: int, attempts: int, error: str | None) -> Write:
        self.any = True
        now = self._core.clock()
        row = Parked(
            event.space_id,
            event.space_sequence,
            event.part,
            event.entity_id,
            state,
            attempts,
            error,
            now,
        )
        return lambda ex: parked.add(ex, self._reader, row)

    async def due(self) -> list[Parked]:
        """Return those that may be handled now, by space and sequence."""
        found = await self._core.read(lambda ex: parked.listed(ex, self._reader))
        self.any = bool(found)
        return parked.due(found)

    async def events_of(self, aside: Parked, make: Callable[[Row], list[Event]]) -> list[Event]:
        """Read the event of a parked one; none if it is gone, or wanted no longer.

        Several are the parts of one that was parked as a whole, before each had a row of its own.
        """
        at = aside.space_sequence

        def read(ex: Executor) -> Sequence[Row]:
            rows = read_page(ex, aside.space_id, after=at - 1, upto=at, limit=1)
            return with_late(ex, rows, {aside.space_id})

        rows = await self._core.read(read)
        return [e for row in rows for e in make(row) if aside.part in (WHOLE, e.part)]

    def take_out(self, ex: Executor, aside: Parked) -> None:
        """Take an event out, in the transaction of ``ex``.

        Raises:
            SubscriptionLostError: Somebody else has, or it was skipped.
        """
        at = aside.space_sequence
        if not parked.remove(ex, self._reader, aside.space_id, at, aside.part):
            raise SubscriptionLostError(self._reader.name, f"space {aside.space_id}", at, None)

    async def done(self, aside: Parked) -> None:
        """Take an event out that was handled."""
        at = aside.space_sequence
        await self._core.locked(
            "a parked event",
            lambda ex: parked.remove(ex, self._reader, aside.space_id, at, aside.part),
        )

    async def failed_again(self, aside: Parked, attempts: int, error: str) -> None:
        """Note that an event was tried again, and failed."""
        await self._core.locked(
            "a parked event",
            lambda ex: parked.failed_again(ex, self._reader, aside, attempts, error),
        )
