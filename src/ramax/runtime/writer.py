"""The writer: one queue per process and database, drained in batches, each one transaction."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ramax.core.unit import Guard
from ramax.errors import ClosedError, RamaxError, StorageBusyError, StorageError
from ramax.runtime.batch import Answer, Attempt, run_batch
from ramax.runtime.cache import StateCache
from ramax.runtime.fence import settle_lost
from ramax.runtime.jobs import Job
from ramax.storage.backend import Backend
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError, UniqueViolationError
from ramax.storage.spaces import take_lock
from ramax.values import Commit

T = TypeVar("T")
logger = logging.getLogger("ramax.writer")

Clock = Callable[[], int]
"""Gives UTC microseconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How the writer shares itself; times in seconds."""

    batch: int = 256
    per_space: int = 64
    queue: int = 10_000
    lock_timeout: float = 30.0
    optimistic_tries: int = 3
    slow_turn: float = 5.0


@dataclass(eq=False, slots=True)
class _Turn:
    """Somebody who needs the writing connection for himself."""

    holder: str
    granted: "asyncio.Future[None]"
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Writer:
    """Drains commands of all spaces; never sleeps to collect, takes what waits."""

    def __init__(self, backend: Backend, cache: StateCache, clock: Clock, limits: Limits) -> None:
        self._backend, self._cache, self._clock, self._limits = backend, cache, clock, limits
        self._queue: deque[Job | _Turn] = deque()
        self._no_room: deque[asyncio.Future[None]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._lanes: dict[int, deque[Job]] = {}
        self._lane_tasks: set[asyncio.Task[None]] = set()
        self._holder: str | None = None
        self._alone = 0  # how many of the next jobs run alone, after a batch failed
        self._closed = False
        self.on_commit: Callable[[Sequence[int]], None] = lambda _spaces: None

    # -- callers ---------------------------------------------------------------------------------

    async def submit(self, job: Job) -> list[Commit]:
        """Queue a job and wait for its answer; leaving early takes nothing back that has begun."""
        while len(self._queue) >= self._limits.queue and not self._closed:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._no_room.append(room)
            await room
        self._check_open()
        job.deadline = time.monotonic() + self._limits.lock_timeout
        self._enqueue(job)
        return await job.future

    @asynccontextmanager
    async def turn(self, holder: str) -> AsyncIterator[None]:
        """Wait for the writing connection and keep it for the block.

        Raises:
            StorageBusyError: Somebody else kept it longer than the lock timeout.
        """
        self._check_open()
        turn = _Turn(holder, asyncio.get_running_loop().create_future())
        self._enqueue(turn)
        try:
            await asyncio.wait_for(turn.granted, self._limits.lock_timeout)
        except TimeoutError:
            turn.finished.set()
            raise StorageBusyError(
                f"{holder} waited {self._limits.lock_timeout:g} s for the writer, which is held by "
                f"{self._holder or 'a long batch'}"
            ) from None
        except asyncio.CancelledError:
            turn.finished.set()
            raise
        try:
            yield
        finally:
            turn.finished.set()

    async def locked(self, holder: str, work: Callable[[Executor], T]) -> T:
        """Run work in a transaction of its own, taking turns where there is one writer."""
        self._check_open()
        if not self._backend.one_writer:
            return await self._retrying(work)
        async with self.turn(holder):
            return await self._shielded(self._retrying(work))

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads that need the only connection there is (in memory)."""
        async with self.turn("a read"):
            return await self._shielded(self._backend.read(work))

    @staticmethod
    async def _shielded(running: Coroutine[Any, Any, T]) -> T:
        # the connection is busy until the work ends, whether or not its caller still waits
        task = asyncio.ensure_future(running)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def _retrying(self, work: Callable[[Executor], T]) -> T:
        deadline = time.monotonic() + self._limits.lock_timeout
        while True:
            try:
                return await self._backend.locked(work)
            except StorageBusyError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_jitter())

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the database is closed; nothing was written")

    def _enqueue(self, item: Job | _Turn) -> None:
        if isinstance(item, Job) and item.space_id in self._lanes:
            self._lanes[item.space_id].append(item)
            return
        self._queue.append(item)
        self._kick()

    def _kick(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="ramax writer")

    def _requeue(self, jobs: Sequence[Job]) -> None:
        """Put jobs back before everything that came after them."""
        if jobs:
            self._queue.extendleft(reversed(jobs))
            self._kick()

    # -- the loop --------------------------------------------------------------------------------

    async def _drain(self) -> None:
        while self._queue:
            first = self._queue[0]
            if isinstance(first, _Turn):
                self._queue.popleft()
                await self._give(first)
            else:
                batch = self._take()
                if batch:
                    await self._process(batch)
        self._draining = None

    async def _give(self, turn: _Turn) -> None:
        if turn.finished.is_set() or turn.granted.done():
            return
        self._holder = turn.holder
        turn.granted.set_result(None)
        while not turn.finished.is_set():
            try:
                await asyncio.wait_for(turn.finished.wait(), self._limits.slow_turn)
            except TimeoutError:
                logger.warning(
                    "%s has kept the writer for more than %g s; every other write waits",
                    turn.holder,
                    self._limits.slow_turn,
                )
        self._holder = None

    def _take(self) -> list[Job]:
        """Take waiting jobs up to the next turn, a bounded share of each space."""
        batch: list[Job] = []
        aside: list[Job] = []
        limit = self._limits.batch
        if self._alone:
            self._alone, limit = self._alone - 1, 1
        shares: dict[int, int] = {}
        while self._queue and len(batch) < limit:
            item = self._queue[0]
            if isinstance(item, _Turn):
                break
            self._queue.popleft()
            if item.future.done():  # its caller left before it began
                continue
            lane = self._lanes.get(item.space_id)
            share = shares.get(item.space_id, 0)
            if lane is not None:
                lane.append(item)
            elif share >= self._limits.per_space:
                aside.append(item)
                if len(aside) > self._limits.batch * 4:
                    break
            else:
                shares[item.space_id] = share + 1
                batch.append(item)
        self._queue.extendleft(reversed(aside))
        self._let_in(self._limits.queue - len(self._queue))
        return batch

    def _let_in(self, places: int) -> None:
        while self._no_room and places > 0:
            waiter = self._no_room.popleft()
            if not waiter.done():
                waiter.set_result(None)
                places -= 1

    async def _process(self, batch: list[Job]) -> None:
        attempt = self._attempt(batch, locked=False)
        try:
            await self._backend.write(lambda ex: run_batch(ex, attempt))
        except ConnectionLostError as error:
            await self._settle_lost(attempt, error)
        except StorageBusyError as error:
            self._again_later(batch, error)
        except UniqueViolationError as error:
            self._singly(batch, error, retry=True)
        except (StorageError, RecursionError, MemoryError) as error:
            self._singly(batch, error, retry=False)
        except BaseException as error:
            for job in batch:
                job.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._deliver(attempt)

    def _attempt(self, jobs: Sequence[Job], *, locked: bool) -> Attempt:
        known = {}
        for job in jobs:
            if job.space_id not in known and (found := self._cache.known(job.space_id)):
                known[job.space_id] = found
        token, now = secrets.token_bytes(8), self._clock()
        local = locked or self._backend.local_reads
        return Attempt(jobs, token, now, locked, local, known=known)

    def _deliver(self, attempt: Attempt) -> None:
        self._learn(attempt)
        for answer in attempt.answers:
            _tell(answer)
        back = []
        for job in attempt.again:
            job.attempts += 1
            contended = job.attempts >= self._limits.optimistic_tries
            if not self._backend.one_writer and (contended or job.space_id in self._lanes):
                self._to_lane(job)
            else:
                self._cache.forget(job.space_id)
                back.append(job)
        self._requeue(back)

    def _learn(self, attempt: Attempt) -> None:
        """Take what was committed, and guards that were read, into the cache."""
        lost = {job.space_id for job in attempt.again}
        committed = []
        for space_id, unit in attempt.units.items():
            if space_id not in lost and not unit.rows:
                self._cache.observe(space_id, unit.space_name, unit.guard)
        if attempt.plan is None:
            return
        for write in attempt.plan.spaces:
            if write.space_id in lost:
                self._cache.forget(write.space_id)
                continue
            unit = attempt.units[write.space_id]
            guard = Guard(
                write.last_sequence,
                write.guard.state_version + write.version_step,
                max(write.last_timestamp, write.guard.last_timestamp),
                unit.folded,
                unit.domains,
            )
            values = unit.state.known | unit.state.written
            self._cache.commit(write.space_id, unit.space_name, write.guard, guard, values)
            if write.events:
                committed.append(write.space_id)
        if committed:
            self.on_commit(committed)

    # -- failures --------------------------------------------------------------------------------

    def _singly(self, batch: list[Job], error: RamaxError | Exception, *, retry: bool) -> None:
        """A statement failed: run each command alone, so that only the guilty one fails."""
        if len(batch) == 1:
            job = batch[0]
            job.attempts += 1
            if retry and job.attempts < self._limits.optimistic_tries:
                self._cache.forget(job.space_id)
                self._requeue(batch)
            else:
                job.fail(error)
            return
        self._alone = len(batch)
        self._requeue(batch)

    def _again_later(self, batch: list[Job], error: StorageBusyError) -> None:
        """Another process kept the lock: wait on for those who still have time."""
        now = time.monotonic()
        patient = [job for job in batch if job.deadline > now]
        for job in batch:
            if job.deadline <= now:
                job.fail(error)
        self._requeue(patient)

    async def _settle_lost(self, attempt: Attempt, error: ConnectionLostError) -> None:
        await settle_lost(self._backend, attempt, error, self._limits.lock_timeout)
        for job in attempt.jobs:
            self._cache.forget(job.space_id)
        for answer in attempt.answers:
            _tell(answer)
        if attempt.plan is not None:
            self.on_commit([w.space_id for w in attempt.plan.spaces])
        for job in attempt.again:
            job.attempts += 1
        self._requeue(attempt.again)

    # -- spaces that somebody holds --------------------------------------------------------------

    def _to_lane(self, job: Job) -> None:
        """Give a contended space a connection of its own, so that the others go on."""
        lane = self._lanes.get(job.space_id)
        if lane is None:
            self._lanes[job.space_id] = lane = deque()
            task = asyncio.create_task(self._drive_lane(job.space_id), name="ramax lane")
            self._lane_tasks.add(task)
            task.add_done_callback(self._lane_tasks.discard)
        lane.append(job)

    async def _drive_lane(self, space_id: int) -> None:
        lane = self._lanes[space_id]
        while lane:
            batch = [job for job in _pop(lane, self._limits.batch) if not job.future.done()]
            if batch:
                await self._process_locked(space_id, batch)
        del self._lanes[space_id]

    async def _process_locked(self, space_id: int, batch: list[Job]) -> None:
        attempt = self._attempt(batch, locked=True)

        def work(ex: Executor) -> None:
            take_lock(ex, space_id, batch[0].space_name, wait_seconds=self._limits.lock_timeout)
            run_batch(ex, attempt)

        try:
            await self._backend.locked(work)
        except ConnectionLostError as error:
            await self._settle_lost(attempt, error)
        except Exception as error:
            if len(batch) > 1 and isinstance(error, StorageError):
                for job in batch:
                    await self._process_locked(space_id, [job])
            else:
                for job in batch:
                    job.fail(error)
        else:
            self._deliver(attempt)

    # -- the end ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Refuse new work and wait for what was accepted."""
        self._closed = True
        self._let_in(len(self._no_room))  # they will find it closed
        while self._draining is not None or self._lane_tasks:
            waiting = {t for t in (self._draining, *self._lane_tasks) if t is not None}
            await asyncio.wait(waiting)


def _tell(answer: Answer) -> None:
    if answer.error is not None:
        answer.job.fail(answer.error)
    else:
        answer.job.answer(answer.commits)


def _pop(lane: deque[Job], limit: int) -> list[Job]:
    return [lane.popleft() for _ in range(min(limit, len(lane)))]


def _jitter() -> float:
    return 0.001 + secrets.randbelow(20_000) / 1_000_000
