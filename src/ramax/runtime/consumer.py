"""Runs a handler over a subscription: tries again, then pauses it, or puts events aside."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

from ramax.errors import (
    ClosedError,
    DataError,
    MisuseError,
    ProjectionError,
    SpaceNotFoundError,
    StorageError,
    SubscriptionLostError,
    SubscriptionPausedError,
    shown,
)
from ramax.runtime.causation import handling
from ramax.runtime.core import Core
from ramax.runtime.parking import Parking
from ramax.runtime.terms import Terms
from ramax.runtime.transaction import Transaction
from ramax.storage import parked, subscriptions
from ramax.storage.cursors import Place
from ramax.storage.executors import Executor, Row
from ramax.storage.parked import Parked
from ramax.storage.subscriptions import Key, Stop
from ramax.values import Event, Space

logger = logging.getLogger("ramax.subscription")

Handler = Callable[..., Awaitable[Any]]
OnError = Literal["pause", "park"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens around a handler; times in seconds."""

    transaction: bool = False
    on_error: OnError = "pause"
    attempts: int = 5
    wait: float = 0.1
    max_wait: float = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.transaction, bool):
            raise DataError("transaction", self.transaction, "is True or False")
        if self.on_error not in ("pause", "park"):
            raise DataError("on_error", self.on_error, "is 'pause' or 'park'")
        if type(self.attempts) is not int or self.attempts < 1:
            raise DataError("attempts", self.attempts, "must be an int of at least 1")
        for name in ("wait", "max_wait"):
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
                raise DataError(name, seconds, "is seconds, 0 or more")


class Reader(Protocol):
    """What a consumer needs of its subscription, which has the words."""

    name: str
    reader: str
    key: Key
    terms: Terms
    turns: int

    @property
    def active(self) -> bool:
        """See `Subscription`."""
        ...

    @property
    def caught_up(self) -> bool:
        """See `Subscription`."""
        ...

    async def next_event(self, seconds: float | None = None) -> Event | None:
        """See `Subscription`."""
        ...

    async def ack(self, event: Event) -> None:
        """See `Subscription`."""
        ...

    async def ack_with(self, event: Event, work: Callable[[Executor], object]) -> None:
        """See `Subscription`."""
        ...

    def transaction(self, event: Event) -> AbstractAsyncContextManager[Transaction]:
        """See `Subscription`."""
        ...

    def transaction_over(self, space: Space) -> Transaction:
        """See `Subscription`."""
        ...

    def position_of(self, event: Event) -> int:
        """See `Subscription`."""
        ...

    def place_behind(self, event: Event) -> Place:
        """See `Subscription`."""
        ...

    def events_of(self, row: Row) -> list[Event]:
        """See `Subscription`."""
        ...

    def begin_again(self) -> None:
        """See `Subscription`."""
        ...


class Consumer:
    """One handler at work on one subscription."""

    def __init__(self, core: Core, subscription: Reader, handler: Handler, policy: Policy) -> None:
        if not callable(handler):
            raise MisuseError(f"a handler is an async function (event), got {shown(handler)}")
        self._core, self._subscription = core, subscription
        self._handler, self._policy = handler, policy
        self._parking = Parking(core, parked.Reader(subscription.key.space_id, subscription.reader))
        self._look_at = 0.0
        self._turn = 0
        self._plain: MisuseError | None = None

    async def run(self) -> None:
        """Handle events for ever, or to the end of a subscription that does not follow."""
        reader, parks = self._subscription, self._policy.on_error == "park"
        patience = reader.terms.poll_interval if parks else None
        while True:
            try:
                if parks:
                    await self._work_off()
                event = await reader.next_event(patience)
                if event is not None:
                    await self.handle(event)
                elif not reader.terms.follow and reader.caught_up:
                    if parks:  # also where there was nothing else to do
                        await self._work_off()
                    return
            except SubscriptionLostError as error:
                logger.warning("%s; it waits for its turn", error)

    async def handle(self, event: Event) -> None:
        """Handle one event, with everything that follows where that fails."""
        if self._turn != self._subscription.turns:  # another one may have parked some in between
            self._turn, self._parking.any = self._subscription.turns, True
        if self._parking.any and await self._parking.holds(event):
            await self._subscription.ack_with(event, self._parking.behind(event))
            return
        try:
            await self._attempt(event)
        except (SubscriptionLostError, SubscriptionPausedError):
            raise
        except Exception as error:  # whatever a handler raises
            if error is self._plain or (isinstance(error, ClosedError) and self._core.closed):
                raise
            await self._failed(event, error)

    async def _attempt(self, event: Event) -> None:
        await self._trying(event, self._in_transaction if self._policy.transaction else self._alone)
        if not self._policy.transaction:
            await self._subscription.ack(event)

    async def _trying(self, event: Event, call: Callable[[Event], Awaitable[None]]) -> None:
        import stamina  # noqa: PLC0415 - it costs as much to import as half of ramax

        policy = self._policy
        tries = stamina.retry_context(
            on=_worth_another_try,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.wait,
            wait_max=policy.max_wait,
            wait_jitter=policy.wait,
        )
        async for attempt in tries:
            with attempt:
                await call(event)

    async def _alone(self, event: Event) -> None:
        with handling(event):
            await self._awaitable(self._handler(event))

    def _awaitable(self, made: Awaitable[Any]) -> Awaitable[Any]:
        """Make sure that a handler is async: no event is to blame for one that is not."""
        if not inspect.isawaitable(made):
            self._plain = MisuseError(
                f"a handler is an async function (event); {shown(self._handler)} is none"
            )
            raise self._plain
        return made

    async def _in_transaction(self, event: Event) -> None:
        async with self._subscription.transaction(event) as tx:
            await self._awaitable(self._handler(event, tx))

    async def _failed(self, event: Event, error: Exception) -> None:
        if isinstance(error, SpaceNotFoundError) and await self._is_gone(event.space_id):
            await self._subscription.ack(event)  # with its space, and all it was about
            return
        reason = f"event {event.event_id} ({event.event_type}): {shown(error, 300)}"
        name = self._subscription.name
        if self._policy.on_error == "park":
            logger.error("subscription %r parks %s", name, reason, exc_info=error)
            failed = self._parking.failed(event, self._policy.attempts, shown(error, 300))
            await self._subscription.ack_with(event, failed)
            return
        logger.error("subscription %r pauses at %s", name, reason, exc_info=error)
        await self._pause(event, reason)
        self._subscription.begin_again()
        if not self._subscription.terms.follow:
            raise SubscriptionPausedError(name, reason) from error

    async def _is_gone(self, space_id: int) -> bool:
        return await self._core.find_by_id(space_id) is None

    async def _pause(self, event: Event, reason: str) -> None:
        key, now = self._subscription.key, self._core.clock()
        at = self._subscription.position_of(event)
        stop = Stop(at, event.part if self._subscription.place_behind(event).parts else None)
        await self._core.locked(
            f"pausing {key.name!r}", lambda ex: subscriptions.pause(ex, key, now, stop, reason)
        )

    # -- what is parked --------------------------------------------------------------------------

    async def _work_off(self) -> None:
        """Handle what was parked and may be tried again; looked for once in a poll interval."""
        reader = self._subscription
        if not reader.active:  # whoever is may park some
            self._parking.any, self._look_at = True, 0.0
        elif self._parking.any and time.monotonic() >= self._look_at:
            blocked: set[tuple[int, str]] = set()
            for aside in await self._parking.due():
                entity = (aside.space_id, aside.entity_id)
                if entity not in blocked and not await self._try_again(aside):
                    blocked.add(entity)
            self._look_at = time.monotonic() + reader.terms.poll_interval

    async def _try_again(self, aside: Parked) -> bool:
        events = await self._parking.events_of(aside, self._subscription.events_of)
        call = self._alone
        if self._policy.transaction:
            call = partial(self._taking_out, aside, events)
        try:
            for event in events:
                await self._trying(event, call)
        except SubscriptionLostError:
            raise
        except Exception as error:  # whatever a handler raises
            if error is self._plain or (isinstance(error, ClosedError) and self._core.closed):
                raise
            where = f"event {aside.space_sequence} of space {aside.space_id}"
            name = self._subscription.name
            logger.exception("subscription %r fails again at %s", name, where)
            await self._parking.failed_again(aside, self._policy.attempts, shown(error, 300))
            return False
        if not self._policy.transaction or not events:
            await self._parking.done(aside)
        return True

    async def _taking_out(self, aside: Parked, events: list[Event], event: Event) -> None:
        """Handle a parked event in a transaction, which takes it out."""
        space = await self._core.resolve(event.space_id)
        async with self._subscription.transaction_over(space) as tx:
            if event is events[-1]:
                await tx.run(lambda ex: self._parking.take_out(ex, aside))
            with handling(event):
                await self._handler(event, tx)


def _worth_another_try(error: BaseException) -> bool:
    if not isinstance(error, Exception):  # it was cancelled
        return False
    if isinstance(error, StorageError):
        return error.retryable
    return not isinstance(
        error, (MisuseError, ProjectionError, SubscriptionLostError, SpaceNotFoundError)
    )
