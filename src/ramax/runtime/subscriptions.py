"""Subscriptions as operators see them: ``db.subscriptions``."""

from collections.abc import Callable, Sequence

from ramax.errors import SubscriptionNotFoundError
from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.cursor import reader_name
from ramax.runtime.subscribing import check_subscription_name
from ramax.storage import cursors, feed, parked, spaces, subscriptions
from ramax.storage.cursors import Place, Position, all_spaces, over_all
from ramax.storage.events import read_head
from ramax.storage.executors import Executor, Row
from ramax.storage.parked import FAILED, STATES, WHOLE, Reader
from ramax.storage.subscriptions import Key
from ramax.values import ParkedEvent, SubscriptionStatus, from_micros


class SubscriptionRepository:
    """Who reads what, how far, and what is in their way.

    A subscription is given by its name and its space; without a space it is one over all spaces.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def list(self, space: SpaceLike | None = None) -> list[SubscriptionStatus]:
        """Return those of a space, or every one there is, by space and name."""
        if space is None:
            branch = await self._core.branch()
            return await self._core.read(
                lambda ex: [_status(ex, row) for row in subscriptions.listed_on(ex, branch)]
            )
        only = (await self._core.resolve(space)).space_id
        if not only:  # `default` before its first write
            return []
        return await self._core.read(
            lambda ex: [_status(ex, row) for row in subscriptions.listed(ex, only)]
        )

    async def pause(
        self, name: str, *, space: SpaceLike | None = None, reason: str | None = None
    ) -> None:
        """Let it deliver nothing more until it is resumed, whoever reads it.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        now = self._core.clock()
        await self._each(
            name, space, lambda ex, key: subscriptions.pause(ex, key, now, None, reason)
        )

    async def resume(self, name: str, *, space: SpaceLike | None = None) -> None:
        """Let a paused one go on, with the event at which it stopped.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        await self._each(name, space, subscriptions.resume)

    async def skip(
        self, name: str, event: ParkedEvent | None = None, *, space: SpaceLike | None = None
    ) -> None:
        """Leave an event out for good, and go on with what is behind it.

        Of an event that upcasters split, only the part is left out that failed.

        Args:
            event: A parked one; without it, the event at which the subscription was paused.

        Raises:
            SubscriptionNotFoundError: It is not parked, or the subscription did not stop at one.
        """
        if event is not None:
            found = await self._on_parked(name, space, event, parked.remove)
        else:
            found = await self._each(name, space, self._pass_over)
        if not found:
            what = "has not stopped at an event" if event is None else "has parked no such event"
            raise SubscriptionNotFoundError(name, what)

    def _pass_over(self, ex: Executor, key: Key) -> bool:
        standing = subscriptions.stands(ex, key)
        row = next(r for r in subscriptions.listed(ex, key.space_id) if _key(r) == key)
        if standing is None or standing.stopped_at is None:
            return False
        at, part = standing.stopped_at, standing.stopped_part
        place = Place(at) if part is None else Place(at - 1, part + 1)
        to = Position(key.space_id, reader_name(key, row[3]), place)
        cursors.pass_over(ex, to, self._core.clock())
        return subscriptions.resume(ex, key)

    async def parked(self, name: str, *, space: SpaceLike | None = None) -> Sequence[ParkedEvent]:
        """Return the events that it has put aside, by space and sequence.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        space_id, rows = await self._rows(name, space)

        def work(ex: Executor) -> list[ParkedEvent]:
            readers = [Reader(space_id, reader_name(_key(row), row[3])) for row in rows]
            return [_shown(each) for reader in readers for each in parked.listed(ex, reader)]

        found = await self._core.read(work)
        return sorted(found, key=lambda e: (e.space_id, e.space_sequence, e.part or 0))

    async def retry(
        self, name: str, event: ParkedEvent | None = None, *, space: SpaceLike | None = None
    ) -> int:
        """Let parked events be tried again by whoever reads, soon and in order.

        Args:
            event: Only this one; without it, all that failed.

        Returns:
            How many there are.

        Raises:
            SubscriptionNotFoundError: There is no such subscription, or no such event.
        """
        wanted = [event] if event is not None else await self.parked(name, space=space)
        failed = [each for each in wanted if each.state == STATES[FAILED]]
        done = [await self._on_parked(name, space, each, parked.retry) for each in failed]
        if event is not None and not any(done):
            raise SubscriptionNotFoundError(name, "has no such event that failed")
        return sum(done)

    async def delete(self, name: str, *, space: SpaceLike | None = None) -> None:
        """Forget it, its checkpoint and what it parked; who opens the name again begins anew.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """

        def work(ex: Executor, key: Key) -> bool:
            row = next(r for r in subscriptions.listed(ex, key.space_id) if _key(r) == key)
            name = reader_name(key, row[3])
            for space_id in {e.space_id for e in parked.listed(ex, Reader(key.space_id, name))}:
                parked.remove_all(ex, Reader(key.space_id, name), space_id)
            cursors.remove(ex, key.space_id, name)
            return subscriptions.remove(ex, key)

        await self._each(name, space, work)

    async def _rows(self, name: str, space: SpaceLike | None) -> tuple[int, Sequence[Row]]:
        check_subscription_name(name)
        if space is None:
            space_id = all_spaces(await self._core.branch())
        else:
            space_id = (await self._core.resolve(space)).space_id
        if space is None or space_id:
            rows = await self._core.read(lambda ex: subscriptions.listed(ex, space_id))
            if found := [row for row in rows if row[1] == name]:
                return space_id, found
        raise SubscriptionNotFoundError(name)

    async def _each(
        self, name: str, space: SpaceLike | None, work: Callable[[Executor, Key], bool]
    ) -> bool:
        """Change all partitions of a subscription; say whether anything has changed."""
        space_id, rows = await self._rows(name, space)
        keys = [_key(row) for row in rows]
        done = await self._core.locked(
            f"subscription {name!r}", lambda ex: [work(ex, key) for key in keys]
        )
        self._core.tell([space_id])
        return any(done)

    async def _on_parked(
        self,
        name: str,
        space: SpaceLike | None,
        event: ParkedEvent,
        work: Callable[[Executor, Reader, int, int, int], bool],
    ) -> bool:
        space_id, rows = await self._rows(name, space)
        readers = [Reader(space_id, reader_name(_key(row), row[3])) for row in rows]
        part = WHOLE if event.part is None else event.part
        at = event.space_id, event.space_sequence, part
        done = await self._core.locked(
            f"parked events of {name!r}", lambda ex: [work(ex, r, *at) for r in readers]
        )
        self._core.tell([space_id])
        return any(done)


def _key(row: Row) -> Key:
    return Key(row[0], row[1], row[2])


def _status(ex: Executor, row: Row) -> SubscriptionStatus:
    space_id, name, partition, partitions, owner, _, paused_at, stopped_at, part, reason = row
    reader = reader_name(_key(row), partitions)
    everywhere = over_all(space_id)
    place = cursors.read(ex, space_id, reader) or Place(0)
    head = feed.safe_event_id(ex) if everywhere else read_head(ex, space_id)
    return SubscriptionStatus(
        name,
        None if everywhere else spaces.find_by_id(ex, space_id),
        partition,
        partitions,
        place.at,
        head or 0,
        owner,
        None if paused_at is None else from_micros(paused_at),
        stopped_at,
        reason,
        len(parked.listed(ex, Reader(space_id, reader))),
        place.parts,
        part,
    )


def _shown(aside: parked.Parked) -> ParkedEvent:
    return ParkedEvent(
        aside.space_id,
        aside.space_sequence,
        aside.entity_id,
        STATES[aside.state],
        aside.attempts,
        aside.error,
        from_micros(aside.parked_at),
        None if aside.part == WHOLE else aside.part,
    )
