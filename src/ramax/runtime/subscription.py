"""A subscription: a named reader that follows a log, and acknowledges what it is done with."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.core.domain import Domain
from ramax.errors import CommitUnknownError, MisuseError, SubscriptionLostError
from ramax.runtime.causation import handling
from ramax.runtime.consumer import Consumer, Handler, OnError, Policy
from ramax.runtime.deliveries import Deliveries
from ramax.runtime.transaction import Transaction, domain_key
from ramax.storage.cursors import Place, over_all
from ramax.storage.executors import Executor
from ramax.values import Event, Space


class Subscription(Deliveries):
    """Events in order, from where this name has got to, and on as they come.

    ``async with`` it, then ``async for event in it``. What was not acknowledged is delivered again
    to whoever reads next. For one task.
    """

    async def run(
        self,
        handler: Handler,
        *,
        transaction: bool = False,
        on_error: OnError = "pause",
        attempts: int = 5,
        wait: float = 0.1,
        max_wait: float = 30.0,
    ) -> None:
        """Give every event to ``await handler(event)`` and acknowledge it.

        A handler that fails is tried again, after pauses that double. Then the subscription pauses
        until somebody resumes it, or the event is parked, with all later ones of its entity, and
        the others go on (`Database.subscriptions` has what to do about both).

        Args:
            handler: With ``transaction`` it is called as ``handler(event, tx)``.
            transaction: Each event in a transaction that commits with its ack: exactly once.
            on_error: ``"pause"`` or ``"park"``.
            attempts: How often the handler is called for one event, at least 1.
            wait: Seconds before the second attempt.
            max_wait: Seconds between attempts at most.

        Raises:
            SubscriptionPausedError: It does not follow, and is paused.
            DataError: An argument breaks a rule.
        """
        policy = Policy(transaction, on_error, attempts, wait, max_wait)
        if self._bell is None:
            raise MisuseError("use `async with` for a subscription, and run it inside")
        await Consumer(self._core, self, handler, policy).run()

    # -- acknowledging ---------------------------------------------------------------------------

    async def ack(self, event: Event, connection: AsyncConnection | None = None) -> None:
        """Note that this event, and every one before it, is done with.

        Of an event that upcasters split, each part is acknowledged on its own.

        Args:
            connection: Yours, with a transaction open: the note commits with it, and so happens if
                and only if what else you wrote there does.

        Raises:
            SubscriptionLostError: Somebody else reads the subscription now; nothing was written.
            MisuseError: The event was not delivered here, or the connection has no transaction.
        """
        at, done = self._ackable(event)
        with self._giving_way():
            if connection is not None:
                await self._cursor.move_on(connection, at, done)
            elif at > self._cursor.acked:
                await self._cursor.move_alone(at, done)

    async def ack_with(self, event: Event, work: Callable[[Executor], object]) -> None:
        """As `ack`, in one transaction with what ``work`` writes."""
        at, done = self._ackable(event)
        with self._giving_way():
            await self._cursor.move_alone(at, done, work)

    @asynccontextmanager
    async def transaction(self, event: Event) -> AsyncIterator[Transaction]:
        """Open a transaction over the event's space that acknowledges it when it commits.

        ``tx.connection`` takes statements of your own, ``tx.execute`` follow-up commands, whose
        events have this one as their cause.

        Raises:
            SubscriptionLostError: Somebody else reads the subscription now.
            MisuseError: The event was not delivered here, or is acknowledged.
        """
        at, done = self._ackable(event)
        if at <= self._cursor.acked:
            raise MisuseError(f"event {event.event_id} is acknowledged already")
        space = await self._core.resolve(event.space_id)
        tx = self.transaction_over(space)
        try:
            async with tx:
                with self._giving_way():
                    await tx.run(lambda ex: self._cursor.move(ex, at, done, again=False))
                with handling(event):
                    yield tx
        except CommitUnknownError:
            self._cursor.doubt(at)
            raise
        self._cursor.confirm(at)

    def transaction_over(self, space: Space) -> Transaction:
        """Make a transaction over a space, with the domain of this reader and without an ack."""
        domains: dict[int | str, Domain] = {}
        if self.domain is not None:
            domains[domain_key(space)] = self.domain
        return self._transaction_type(self._core, [space], domains)

    @contextmanager
    def _giving_way(self) -> Iterator[None]:
        """Begin again from the checkpoint where it turns out to have been moved."""
        try:
            yield
        except SubscriptionLostError:
            self.begin_again()
            raise

    def _ackable(self, event: Event) -> tuple[Place, Event | None]:
        """Return where an ack leads, and the event if that is done with as a whole."""
        self.position_of(event)
        place = self.place_behind(event)
        if place > self._delivered:
            raise MisuseError(f"a part of event {event.event_id} was not delivered yet")
        return place, None if place.parts else event

    def position_of(self, event: Event) -> int:
        """Return where an event is in the order of this reader.

        Raises:
            MisuseError: It was not delivered here.
        """
        if not isinstance(event, Event):
            raise MisuseError(f"give an Event of subscription {self.name!r}, not {event!r:.80}")
        self._check_entered()
        at = self._source.position(event)
        mine = over_all(self.key.space_id) or self.key.space_id == event.space_id
        if not mine or at > self._reached:
            raise MisuseError(
                f"event {event.event_id} was not delivered by subscription {self.name!r}"
            )
        return at
