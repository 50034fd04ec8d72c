"""The writer: one per process and database; drains its queue in batches, each one transaction."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ramax.core.schema import Schema
from ramax.errors import (
    ClosedError,
    CommitUnknownError,
    NestedTransactionError,
    StorageBusyError,
    StorageError,
)
from ramax.runtime.batch import Attempt, Seen, Trial, run_batch
from ramax.runtime.cache import StateCache
from ramax.runtime.complaints import log_complaints
from ramax.runtime.fence import settle_lost
from ramax.runtime.jobs import Job
from ramax.runtime.lanes import CANCELLED, Lanes
from ramax.runtime.queue import Turn, WorkQueue
from ramax.runtime.watching import Watch, report_of
from ramax.storage.backend import Backend
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError, UniqueViolationError
from ramax.storage.spaces import limit_waiting, take_lock
from ramax.values import Commit

T = TypeVar("T")
logger = logging.getLogger("ramax.writer")

Clock = Callable[[], int]
"""Gives UTC microseconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How the writer shares itself; times in seconds."""

    batch: int = 256
    queue: int = 10_000
    lock_timeout: float = 30.0
    optimistic_tries: int = 3
    slow_turn: float = 5.0


class Writer:
    """Runs commands of all spaces; never sleeps to collect, takes what waits.

    On its way are a few batches of different spaces, one on SQLite; or a turn, in which somebody
    has the writing connection for himself.
    """

    def __init__(self, backend: Backend, cache: StateCache, clock: Clock, limits: Limits) -> None:
        self._backend, self._cache, self._clock, self._limits = backend, cache, clock, limits
        self._queue = WorkQueue(limits.queue, limits.batch)
        self._lanes = Lanes(self._process_locked, limits.batch)
        self._flying: dict[int, Attempt] = {}  # by space
        self._on_way = 0
        self._several = False  # the latest batch held more than one job
        self._beginning = False
        self._others = 0
        self._holder: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False
        self._own_writes = backend.own_writes
        self._tokens = random.SystemRandom().getrandbits(64)
        self.on_commit: Callable[[Sequence[int]], None] = lambda _spaces: None
        self.watch: Watch | None = None
        self.on_outdated: Callable[[int, str, Mapping[str, Schema]], None] = _nobody_cares

    # -- callers ---------------------------------------------------------------------------------

    def submit(self, job: Job) -> Awaitable[list[Commit]]:
        """Queue a job; what is returned is its answer, and leaving takes nothing back.

        Raises:
            ClosedError: The database is closed.
        """
        if self._queue.full and not self._closed:
            return self._submit_later(job)
        self._check_open()
        job.deadline = time.monotonic() + self._limits.lock_timeout
        if self._lanes.takes(job):
            return job.future
        elsewhere = job.space_id not in self._flying
        free = self._free
        if free and elsewhere and not self._several and not self._queue:
            self._begin_batch([job])  # past the queue, which nobody is in
            return job.future
        self._queue.append(job)
        if free:
            self._begin()
        elif elsewhere:
            self._backend.widen()
        return job.future

    async def _submit_later(self, job: Job) -> list[Commit]:
        while self._queue.full and not self._closed:
            await self._queue.room()
        return await self.submit(job)

    @asynccontextmanager
    async def turn(self, holder: str) -> AsyncIterator[None]:
        """Wait for the writing connection, where there is but one, and keep it for the block.

        Raises:
            StorageBusyError: Somebody else kept it longer than the lock timeout.
        """
        self._check_open()
        turn = Turn(holder, asyncio.get_running_loop().create_future())
        if not self._backend.one_writer:
            with self._beside(turn):
                yield
            return
        self._queue.append(turn)
        self._next()
        try:
            try:
                async with asyncio.timeout(self._limits.lock_timeout):
                    await turn.granted
            except TimeoutError:
                raise self._held_too_long(holder) from None
            yield
        finally:
            if turn.granted.done() and not turn.granted.cancelled():
                self._end_turn(turn)

    def _held_too_long(self, waiter: str) -> StorageBusyError:
        return StorageBusyError(
            f"{waiter} waited {self._limits.lock_timeout:g} s for the writer, which is held by "
            f"{self._holder or 'a long batch'}"
        )

    async def locked(self, holder: str, work: Callable[[Executor], T]) -> T:
        """Run work in a transaction of its own, taking turns where there is one writer."""
        self._check_open()
        if not self._backend.one_writer:
            with self._beside():
                return await self._retrying(work)
        async with self.turn(holder):
            return await to_its_end(self._retrying(work))

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads that need the only connection there is (in memory)."""
        async with self.turn("a read"):
            return await to_its_end(self._backend.read(work))

    async def _retrying(self, work: Callable[[Executor], T]) -> T:
        patience = self._limits.lock_timeout
        deadline = time.monotonic() + patience

        def bounded(ex: Executor) -> T:
            limit_waiting(ex, patience)
            return work(ex)

        while True:
            try:
                return await self._backend.locked(bounded)
            except (StorageBusyError, ConnectionLostError):  # nothing was written
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - jitter

    @property
    def waiting(self) -> int:
        """Commands that wait for their batch."""
        return len(self._queue)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the database is closed; nothing was written")
        if self._own_writes is not None and self._own_writes.mine():
            raise NestedTransactionError(
                "this task has a transaction open on a connection of its own, and SQLite has one "
                "writer: take part with store.join(connection), or commit first"
            )

    # -- one piece of work after another ---------------------------------------------------------

    def _begin(self) -> None:
        """Go on at once after a lone job; after a batch of several, when its callers are back.

        They are woken in one turn of the loop. Started before it, a batch would hold one job, the
        next one the others, and so on: half the commits for nothing.
        """
        if not self._several:
            self._next()
        elif not self._beginning:
            self._beginning = True
            asyncio.get_running_loop().call_soon(self._begin_now)

    def _begin_now(self) -> None:
        self._beginning = False
        self._next()

    @property
    def _free(self) -> int:
        """How many batches may begin."""
        return 0 if self._holder is not None else self._backend.batches - self._on_way

    @property
    def _quiet(self) -> bool:
        """Nothing is on its way."""
        return not self._on_way and self._holder is None

    def _next(self) -> None:
        while self._free and self._queue:
            turn = self._queue.take_turn()
            if turn is not None:
                self._begin_turn(turn)
            elif batch := self._queue.take(self._flying, self._free):
                self._begin_batch(batch)
            elif self._flying:  # what waits is of their spaces
                break
        self._wake()

    def _begin_batch(self, batch: list[Job]) -> None:
        self._on_way += 1
        self._several = len(batch) > 1
        attempt = self.attempt(batch, locked=False)
        for space_id in attempt.seen:
            self._flying[space_id] = attempt
        self._backend.post(partial(run_batch, attempt=attempt), partial(self._done, attempt))

    def _land(self, attempt: Attempt) -> None:
        for space_id in attempt.seen:
            del self._flying[space_id]
        self._on_way -= 1

    def _wake(self) -> None:
        if self._quiet:
            for waiter in self._idle:
                waiter.set_result(None)
            self._idle.clear()

    @contextmanager
    def _beside(self, turn: Turn | None = None) -> Iterator[None]:
        """Count work that goes on beside the queue, on a connection of its own."""
        self._others += 1
        if turn is not None:
            self._watch(turn)
        try:
            yield
        finally:
            if turn is not None and turn.timer is not None:
                turn.timer.cancel()
            self._others -= 1
            self._wake()

    def _begin_turn(self, turn: Turn) -> None:
        self._holder = turn.holder
        turn.granted.set_result(None)
        self._watch(turn)
        self._expire(turn)

    def _expire(self, turn: Turn) -> None:
        """Fail the commands that have waited behind a turn for as long as they may."""
        for job in self._queue.take_overdue(time.monotonic()):
            job.fail(self._held_too_long(f"a command for space {job.space_name!r}"))
        loop = asyncio.get_running_loop()
        turn.expiry = loop.call_later(self._limits.lock_timeout, self._expire, turn)

    def _watch(self, turn: Turn) -> None:
        if turn.timer is not None:
            logger.warning(
                "%s has kept %s for more than %g s",
                turn.holder,
                "the writer from every other write" if self._backend.one_writer else "its spaces",
                self._limits.slow_turn,
            )
        loop = asyncio.get_running_loop()
        turn.timer = loop.call_later(self._limits.slow_turn, self._watch, turn)

    def _end_turn(self, turn: Turn) -> None:
        for timer in (turn.timer, turn.expiry):
            if timer is not None:
                timer.cancel()
        self._holder = None
        self._next()

    def _done(self, attempt: Attempt, error: BaseException | None) -> None:
        """Hear of the end of a batch, on the event loop."""
        if isinstance(error, ConnectionLostError):
            self._settle(attempt, error)  # on its way until then
            return
        try:
            if error is None:
                self.deliver(attempt)
            else:
                self._failed(attempt.jobs, error)
        finally:
            self._land(attempt)
            self._begin()

    def _settle(self, attempt: Attempt, error: ConnectionLostError) -> None:
        task = asyncio.create_task(self.settle_lost(attempt, error), name="ramax writer")
        self._tasks.add(task)
        task.add_done_callback(partial(self._settled, attempt))

    def _settled(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failure = CommitUnknownError(CANCELLED) if task.cancelled() else task.exception()
        if failure is not None:
            for job in attempt.jobs:
                job.fail(failure)
        self._land(attempt)
        self._next()

    # -- what comes of a batch -------------------------------------------------------------------

    def attempt(self, jobs: Sequence[Job], *, locked: bool) -> Attempt:
        """Prepare a try at some jobs, with what is known of their spaces."""
        cache = self._cache
        seen: dict[int, Seen] = {}
        for job in jobs:
            space_id = job.space_id
            if space_id not in seen:
                known = cache.known(space_id)  # first: it may find out that its tick is past
                seen[space_id] = known, cache.tick(space_id)
        self._tokens = (self._tokens + 1) % 2**64
        token = self._tokens.to_bytes(8, "big")
        local = locked or self._backend.local_reads
        begun = 0.0 if self.watch is None else time.perf_counter()
        trials = [Trial(job) for job in jobs]
        return Attempt(trials, seen, token, self._clock(), locked, local, begun=begun)

    def deliver(self, attempt: Attempt) -> None:
        """Answer the callers of a batch that is committed; requeue who lost a race."""
        if self.watch is not None:
            self.watch.batch(report_of(attempt, time.perf_counter()))
        self._learn(attempt)
        self.notice(attempt)
        for trial in attempt.answered:
            trial.tell()
        if attempt.again:
            self._try_again(attempt.again)

    def _try_again(self, jobs: Sequence[Job]) -> None:
        back = []
        for job in jobs:
            job.attempts += 1
            contended = job.attempts >= self._limits.optimistic_tries
            if not self._backend.one_writer and (contended or job.space_id in self._lanes):
                self._lanes.open(job)
            else:
                self._cache.forget(job.space_id)
                back.append(job)
        self.put_back(back)

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Queue jobs again before everything that came after them."""
        self._queue.put_back(jobs)
        self._next()

    def notice(self, attempt: Attempt) -> None:
        """Pass on what a batch found out about shapes: older ones, and such as do not fit."""
        for space_id, unit in attempt.units.items():
            state = unit.state
            if state.complaints:
                log_complaints(unit.space_name, state)
            if state.outdated:
                self.on_outdated(space_id, unit.space_name, state.outdated)

    def _learn(self, attempt: Attempt) -> None:
        """Take what was committed, and guards that were read, into the cache."""
        cache = self._cache
        lost = {job.space_id for job in attempt.again}
        writes = {write.space_id: write for write in attempt.plan.spaces} if attempt.plan else {}
        committed = []
        for space_id, unit in attempt.units.items():
            known, tick = attempt.seen[space_id]
            if space_id in lost:
                cache.forget(space_id)
            elif (write := writes.get(space_id)) is not None:
                cache.commit(
                    space_id, unit.space_name, unit.guard, write.after, unit.values, tick, known
                )
                if write.events:
                    committed.append(space_id)
            else:
                guard = unit.guard
                if unit.in_step is not guard.in_step:
                    guard = guard._replace(in_step=unit.in_step)
                cache.observe(space_id, unit.space_name, guard, unit.state.known, tick)
        if committed:
            self.on_commit(committed)

    def _failed(self, jobs: list[Job], error: BaseException) -> None:
        """A batch failed as a whole and nothing of it was written."""
        if isinstance(error, StorageBusyError):  # another process kept the lock
            now = time.monotonic()
            for job in jobs:
                if job.deadline <= now:
                    job.fail(error)
            self.put_back([job for job in jobs if job.deadline > now])
        elif len(jobs) > 1 and isinstance(error, (StorageError, RecursionError, MemoryError)):
            self._queue.put_back_singly(jobs)  # so that only the guilty one fails
        elif (
            isinstance(error, UniqueViolationError)  # somebody was first: look again
            and jobs[0].attempts < self._limits.optimistic_tries
        ):
            self._try_again(jobs)
        else:
            for job in jobs:
                job.fail(error)

    async def settle_lost(self, attempt: Attempt, error: StorageError) -> None:
        """Find out what became of a batch whose connection broke, and answer or retry."""
        await settle_lost(self._backend, attempt, error, self._limits.lock_timeout)
        for job in attempt.jobs:
            self._cache.forget(job.space_id)
        for trial in attempt.answered:
            trial.tell()
        if attempt.plan is not None:
            self.on_commit([write.space_id for write in attempt.plan.spaces])
        for job in attempt.again:
            job.attempts += 1
        self.put_back(attempt.again)

    async def _process_locked(self, space_id: int, jobs: list[Job]) -> None:
        """Run jobs of one space under its lock, on a connection of their own."""
        attempt = self.attempt(jobs, locked=True)
        patience = self._limits.lock_timeout

        def work(ex: Executor) -> None:
            take_lock(ex, space_id, jobs[0].space_name, wait_seconds=patience)
            run_batch(ex, attempt)

        try:
            await self._backend.locked(work)
        except (ConnectionLostError, CommitUnknownError) as error:
            await self.settle_lost(attempt, error)
        except Exception as error:
            alone = len(jobs) == 1 or isinstance(error, StorageBusyError)
            if isinstance(error, StorageError) and not alone:
                for job in jobs:
                    await self._process_locked(space_id, [job])
            else:
                for job in jobs:
                    job.fail(error)
        else:
            self.deliver(attempt)

    # -- the end ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Refuse new work and wait for what was accepted."""
        self._closed = True
        self._queue.let_in(self._queue.outside)  # they will find it closed
        while not self._quiet or self._queue or self._others or self._lanes.tasks:
            if self._lanes.tasks:
                await asyncio.wait(self._lanes.tasks)
            else:
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._idle.append(waiter)
                await waiter


def _nobody_cares(_space_id: int, _space_name: str, _keys: Mapping[str, Schema]) -> None:
    """Leave values in the shape in which they are stored."""
