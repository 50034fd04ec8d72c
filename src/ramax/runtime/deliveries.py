"""What a subscription delivers: pages of a log, to the one owner, from the checkpoint on."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from ramax.core.domain import Domain
from ramax.errors import (
    DataError,
    MisuseError,
    SpaceNotFoundError,
    StorageError,
    SubscriptionPausedError,
    UpcastError,
)
from ramax.runtime.core import Core
from ramax.runtime.cursor import Cursor
from ramax.runtime.sources import Page, Source
from ramax.runtime.terms import Terms
from ramax.runtime.transaction import Transaction
from ramax.runtime.wakeups import Bell
from ramax.storage import subscriptions
from ramax.storage.cursors import Place, over_all
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import base_of
from ramax.storage.locks import keep
from ramax.storage.subscriptions import Key, Standing
from ramax.values import Event

T = TypeVar("T")
Opening = Callable[[], Awaitable[tuple[Key, Source]]]
logger = logging.getLogger("ramax.subscription")


class Deliveries:
    """The reading half of a `Subscription`: ``async with`` it, then ``async for event in it``."""

    key: Key
    """Known from when the block is entered, as is the name of its checkpoint."""

    reader: str

    turns: int
    """How often this reader has become the owner: between two turns another one may have read."""

    _source: Source
    _cursor: Cursor

    def __init__(
        self,
        core: Core,
        name: str,
        opening: Opening,
        terms: Terms,
        domain: Domain | None,
        *,
        transaction_type: type[Transaction] = Transaction,
    ) -> None:
        self._transaction_type = transaction_type
        self._core, self._opening, self.terms, self.domain = core, opening, terms, domain
        self.name = name
        self._bell: Bell | None = None
        self._active = self._entered = False
        self._leased = False  # also while it begins again
        self.turns = 0
        self._rows: deque[Any] = deque()
        self._ready: deque[Event] = deque()  # what was made of the row at hand
        self._last_parts: dict[int, int] = {}  # of rows that became several, by position
        self._read_upto = 0
        self._delivered = Place(0)  # behind what was handed out last
        self._caught_up = asyncio.Event()
        self._told_paused = False

    # -- the block -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._entered:
            raise MisuseError("a subscription is for one block; open another one")
        self._core.check_caller()
        self._entered = True
        self.key, self._source = await self._opening()
        self._cursor = Cursor(self._core, self.key, self.terms.partitions, self._source.name)
        self.reader = self._cursor.name
        await self._core.locked(f"opening subscription {self.name!r}", self._ensure)
        self._bell = self._core.wakeups.bell(self.key.space_id, self.terms.poll_interval)
        return self

    def _ensure(self, ex: Executor) -> None:
        """Make the rows of a new subscription; one that is there keeps its checkpoint."""
        if not over_all(self.key.space_id) and keep(ex, self.key.space_id) is None:
            raise SpaceNotFoundError(self.key.space_id)
        count = subscriptions.add(ex, self.key, self.terms.partitions)
        if count != self.terms.partitions:
            raise DataError(
                "partitions", self.terms.partitions, f"{self.name!r} has {count}, for good"
            )
        if self._cursor.read(ex) is not None:
            return
        start = self.terms.start
        end = self._source.end(ex)
        if start == "beginning":  # what a fork was made with has been delivered elsewhere
            at = 0 if over_all(self.key.space_id) else base_of(ex, self.key.space_id)
        else:
            at = end if isinstance(start, str) else start
        if at > end:
            raise DataError("start", at, f"the log ends at {end}")
        self._cursor.begin(ex, at)

    async def __aexit__(self, *_: object) -> None:
        if self._bell is not None and not self._core.closed:
            try:
                await self._keep_filtered()
            finally:
                bell, self._bell = self._bell, None
                await self._core.wakeups.dismiss(bell)
                if self._leased:
                    await self._core.leases.give_back(self.key)
                    self._core.wakeups.ring(self.key.space_id)  # for who waits to take over
        self._forget()

    def _forget(self) -> None:
        self._active = False
        self._rows.clear()
        self._ready.clear()
        self._last_parts.clear()

    # -- reading ---------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The newest position that is acknowledged: a sequence, or over all spaces an event id."""
        self._check_entered()
        return self._cursor.position

    def _check_entered(self) -> None:
        if not hasattr(self, "_cursor"):  # the block has not begun, or could not
            raise MisuseError("use `async with` for a subscription; it knows nothing before")

    @property
    def active(self) -> bool:
        """Whether this process is the one that reads; others wait to take over."""
        return self._active

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there when it last looked has been delivered."""
        return self._caught_up.is_set()

    async def wait_caught_up(self) -> None:
        """Wait, in another task than the one that reads, until everything has been delivered."""
        await self._caught_up.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            event = await self.next_event()
            if event is not None:
                return event
            if not self.terms.follow:
                raise StopAsyncIteration

    async def next_event(self, seconds: float | None = None) -> Event | None:
        """Return the next event; None after waiting so long, or at the end where it follows not.

        Raises:
            ClosedError: The database was closed.
            SubscriptionPausedError: It is paused, and does not follow.
            SpaceNotFoundError: The space was deleted.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._prepared():
            self._core.check_caller()
            bell = self._bell
            if bell is None:
                raise MisuseError("use `async with` for a subscription, and read it inside")
            bell.clear()
            if not self._active and not await self._become_owner(bell):
                if _over(deadline):
                    return None
                continue
            if await self._fill():
                continue
            if self._caught_up.is_set() and not self.terms.follow:
                return None
            if self._caught_up.is_set() or self._told_paused:
                pause = self.terms.poll_interval if self._told_paused else None
                await bell.wait(_left(deadline, pause))
                if _over(deadline):
                    return None
        self._core.check_caller()
        return self._hand_out()

    async def next_rows(self, most: int, seconds: float | None = None) -> list[Event]:
        """Return the next events, about so many; all that upcasters make of one stay together.

        Where there is none, as `next_event`, what was looked at and not wanted is remembered.
        """
        first = await self.next_event(seconds)
        if first is None:
            await self._keep_filtered()
            return []
        events = [first]
        while self._ready or (self._rows and len(events) < most):
            try:
                if self._prepared():
                    events.append(self._hand_out())
            except UpcastError:
                break  # the next call raises it, when what was before is done
        return events

    def _prepared(self) -> bool:
        """Make events of rows until there is one, or no row is left."""
        while self._rows and not self._ready:
            made = self._source.events(self._rows[0])
            self._rows.popleft()  # only now: one that cannot be read is not passed over
            if made and made[-1].part:
                self._last_parts[self._source.position(made[-1])] = made[-1].part
            if made and (done := self._cursor.acked).parts:
                behind = self._source.position(made[0]) == done.at + 1
                made = [each for each in made if not behind or each.part >= done.parts]
            self._ready.extend(made)
        return bool(self._ready)

    def _hand_out(self) -> Event:
        event = self._ready.popleft()
        self._delivered = self.place_behind(event)
        self._caught_up.clear()
        return event

    @property
    def _reached(self) -> int:
        """The position of what was handed out last."""
        at, parts = self._delivered
        return at + bool(parts)

    def place_behind(self, event: Event) -> Place:
        """Return where this reader is when it is done with an event, and with all before it.

        What upcasters split is done with the last part of it that is wanted.
        """
        at = self._source.position(event)
        if event.part < self._last_parts.get(at, 0):
            return Place(at - 1, event.part + 1)
        return Place(at)

    async def _become_owner(self, bell: Bell) -> bool:
        self._leased = self._leased or await self._take()
        if self._leased:
            at = await self._core.read(self._cursor.read)
            if at is None:
                raise SpaceNotFoundError(self._source.name)
            self._cursor.settle(at)
            self._read_upto, self._delivered = at.at, at
            self._active = True
            self.turns += 1
            return True
        if await self._core.read(lambda ex: subscriptions.stands(ex, self.key)) is None:
            raise SpaceNotFoundError(self._source.name)
        await bell.wait(self.terms.poll_interval * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        return False

    async def _take(self) -> bool:
        try:
            return await self._core.leases.take(self.key, self.terms.lease)
        except StorageError as error:
            if not error.retryable:
                raise
            logger.warning("subscription %r looks for its lease again: %s", self.name, error)
            return False

    async def _fill(self) -> bool:
        """Read a page; True if it has events."""
        standing, page, at = await self._patiently(self._read)
        if standing is None or at is None:
            raise SpaceNotFoundError(self._source.name)
        if standing.owner != self._core.leases.owner:
            self._stand_by()
            return False
        if standing.paused_at is not None:
            self._hold_still(standing)
            return False
        self._told_paused = False
        if not self._cursor.may_be(at):
            self.begin_again()
            return False
        self._rows.extend(page.rows)
        if self._last_parts:
            acked, parts = self._cursor.acked.at, self._last_parts
            self._last_parts = {at: part for at, part in parts.items() if at > acked}
        self._read_upto = page.upto
        if self._core.watch is not None:
            space_name = "" if over_all(self.key.space_id) else self._source.name
            self._core.watch.lag(self.name, space_name, max(0, page.end - self._done_upto()))
        if not page.rows and page.upto - self._cursor.acked.at >= self.terms.buffer:
            await self._keep_filtered()
        if page.complete and not page.rows:
            self._caught_up.set()
        else:
            self._caught_up.clear()
        return bool(page.rows)

    def _read(self, ex: Executor) -> tuple[Standing | None, Page, Place | None]:
        """Read a page, and then the checkpoint: whoever passed over an event is seen by it."""
        standing = subscriptions.stands(ex, self.key)
        page = Page((), self._read_upto, self._read_upto)
        if standing is not None and standing.paused_at is None:
            page = self._source.read(ex, self._read_upto, self.terms.buffer)
        return standing, page, self._cursor.read(ex)

    async def _patiently(self, work: Callable[[Executor], T]) -> T:
        """Read again over a database that is away for a moment: nobody waits for an answer."""
        deadline = time.monotonic() + self._core.options.limits.lock_timeout
        delay = 0.05
        while True:
            try:
                return await self._core.read(work)
            except StorageError as error:
                if not error.retryable or time.monotonic() > deadline:
                    raise
                logger.warning("subscription %r reads again: %s", self.name, error)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            delay = min(delay * 2, 1.0)

    def _stand_by(self) -> None:
        logger.warning("subscription %r: another reader has taken it over", self.name)
        self._core.leases.lost(self.key)
        self._leased = False
        self.begin_again()

    def _hold_still(self, standing: Standing) -> None:
        if not self.terms.follow:
            raise SubscriptionPausedError(self.name, standing.reason)
        if not self._told_paused:
            logger.warning("subscription %r is paused: %s", self.name, standing.reason)
        self._told_paused = True

    def _done_upto(self) -> int:
        """Return up to where nothing is left to do; what was not wanted counts as done."""
        acked = self._cursor.acked
        waiting = self._rows or self._ready or self._delivered > acked
        return acked.at if waiting else max(acked.at, self._read_upto)

    async def _keep_filtered(self) -> None:
        """Remember what was looked at and not wanted, where nothing before it waits for an ack."""
        upto, cursor = self._done_upto(), self._cursor
        if self._active and cursor.certain and upto > cursor.acked.at:
            await cursor.move_alone(Place(upto), None)

    def begin_again(self) -> None:
        """Deliver next what comes after the checkpoint, as it is in the database then."""
        self._forget()
        self._caught_up.clear()  # or it would wait for what comes next, not for its turn

    def events_of(self, row: Row) -> list[Event]:
        """Make the events of a row that are wanted here, in today's shape."""
        return self._source.events(row)


def _left(deadline: float | None, most: float | None) -> float | None:
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    return min((each for each in (left, most) if each is not None), default=None)


def _over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline
