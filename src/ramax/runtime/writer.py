"""The writer: one per process and database; drains its queue in batches, each one transaction."""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import partial

from ramax.errors import (
    ClosedError,
    CommitUnknownError,
    NestedTransactionError,
    StorageBusyError,
)
from ramax.runtime.attempt import Attempt
from ramax.runtime.attempts import Attempts
from ramax.runtime.batch import run_batch
from ramax.runtime.jobs import Job
from ramax.runtime.lanes import CANCELLED
from ramax.runtime.queue import Limits, WorkQueue
from ramax.runtime.retries import Retries
from ramax.runtime.turn import Turn
from ramax.storage.backend import Backend
from ramax.storage.faults import ConnectionLostError
from ramax.values import Commit


class Writer:
    """Runs commands of all spaces; never sleeps to collect, takes what waits.

    On its way are a few batches of different spaces, one on SQLite; or a turn, in which somebody
    has the writing connection for himself.
    """

    def __init__(self, backend: Backend, attempts: Attempts, limits: Limits) -> None:
        self._backend, self._attempts, self._limits = backend, attempts, limits
        self._queue = WorkQueue(limits.queue, limits.batch)
        self._retries = Retries(backend, attempts, self._queue, limits, self._next)
        self._lanes = self._retries.lanes
        self._flying: dict[int, Attempt] = {}  # by space
        self._on_way = 0  # batches, or a turn
        self._several = False  # the latest batch held more than one job
        self._beginning = False
        self._others = 0
        self._holder: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False
        self._own_writes = backend.own_writes

    # -- commands --------------------------------------------------------------------------------

    def submit(self, job: Job) -> Awaitable[list[Commit]]:
        """Queue a job; what is returned is its answer, and leaving takes nothing back.

        Raises:
            ClosedError: The database is closed.
        """
        if self._queue.full and not self._closed:
            return self._submit_later(job)
        self.check_open()
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

    @property
    def waiting(self) -> int:
        """Commands that wait for their batch."""
        return len(self._queue)

    def check_open(self) -> None:
        """Refuse what could never be written.

        Raises:
            ClosedError: The database is closed.
            NestedTransactionError: The caller keeps the only writer by a transaction of his own.
        """
        if self._closed:
            raise ClosedError("the database is closed; nothing was written")
        if self._own_writes is not None and self._own_writes.mine():
            raise NestedTransactionError(
                "this task has a transaction open on a connection of its own, and SQLite has one "
                "writer: take part with store.join(connection), or commit first"
            )

    # -- who needs the writer for himself --------------------------------------------------------

    def queue_turn(self, turn: Turn) -> None:
        """Let somebody wait for the writing connection, behind what is queued now."""
        self._queue.append(turn)
        self._next()

    def _begin_turn(self, turn: Turn) -> None:
        self._on_way += 1
        self._holder = turn.holder
        turn.granted.set_result(None)
        self._expire(turn)

    def _expire(self, turn: Turn) -> None:
        """Fail the commands that have waited behind a turn for as long as they may."""
        for job in self._queue.take_overdue(time.monotonic()):
            job.fail(self.held_too_long(f"a command for space {job.space_name!r}"))
        loop = asyncio.get_running_loop()
        turn.expiry = loop.call_later(self._limits.lock_timeout, self._expire, turn)

    def held_too_long(self, waiter: str) -> StorageBusyError:
        """Return the error of somebody who waited in vain; it names who has the writer."""
        return StorageBusyError(
            f"{waiter} waited {self._limits.lock_timeout:g} s for the writer, which is held by "
            f"{self._holder or 'a long batch'}"
        )

    def end_turn(self, turn: Turn) -> None:
        """Go on after a turn that was granted."""
        turn.end()
        self._holder = None
        self._on_way -= 1
        self._next()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Count work that goes on beside the queue, on a connection of its own."""
        self._others += 1
        try:
            yield
        finally:
            self._others -= 1
            self._wake()

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
        """How many batches may begin; none in a turn, which only one writer has."""
        return self._backend.batches - self._on_way

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
        attempt = self._attempts.prepare(batch, locked=False)
        for space_id in attempt.seen:
            self._flying[space_id] = attempt
        self._backend.post(partial(run_batch, attempt=attempt), partial(self._done, attempt))

    def _done(self, attempt: Attempt, error: BaseException | None) -> None:
        """Hear of the end of a batch, on the event loop."""
        if isinstance(error, ConnectionLostError):
            self._settle(attempt, error)  # on its way until then
            return
        try:
            if error is not None:
                self._retries.failed(attempt.jobs, error)
            else:
                self._attempts.deliver(attempt)
                if attempt.again:
                    self._retries.again(attempt.again)
        finally:
            self._land(attempt)
            self._begin()

    def _settle(self, attempt: Attempt, error: ConnectionLostError) -> None:
        task = asyncio.create_task(self._retries.settle(attempt, error), name="ramax writer")
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

    def _land(self, attempt: Attempt) -> None:
        for space_id in attempt.seen:
            del self._flying[space_id]
        self._on_way -= 1

    def _wake(self) -> None:
        if not self._on_way:
            for waiter in self._idle:
                waiter.set_result(None)
            self._idle.clear()

    # -- the end ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Refuse new work and wait for what was accepted."""
        self._closed = True
        self._queue.let_in(self._queue.outside)  # they will find it closed
        while self._on_way or self._queue or self._others or self._lanes.tasks:
            if self._lanes.tasks:
                await asyncio.wait(self._lanes.tasks)
            else:
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._idle.append(waiter)
                await waiter
