"""What is done for jobs that an attempt left without an answer: another one, or an error."""

import time
from collections.abc import Callable, Sequence

from ramax.errors import CommitUnknownError, StorageBusyError, StorageError
from ramax.runtime.attempt import Attempt
from ramax.runtime.attempts import Attempts
from ramax.runtime.batch import run_batch
from ramax.runtime.fence import settle_lost
from ramax.runtime.jobs import Job
from ramax.runtime.lanes import Lanes
from ramax.runtime.queue import Limits, WorkQueue
from ramax.storage.backend import Backend
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError, UniqueViolationError
from ramax.storage.locks import take_lock


class Retries:
    """Lets jobs wait again, alone if need be, or in the lane of a contended space."""

    def __init__(
        self,
        backend: Backend,
        attempts: Attempts,
        queue: WorkQueue,
        limits: Limits,
        resume: Callable[[], None],
    ) -> None:
        self._backend, self._attempts, self._queue = backend, attempts, queue
        self._limits, self._resume = limits, resume
        self.lanes = Lanes(self._run_locked, limits.batch)

    def again(self, jobs: Sequence[Job]) -> None:
        """Try jobs again that lost a race; under the lock of their space after a few of them."""
        back = []
        for job in jobs:
            job.attempts += 1
            contended = job.attempts >= self._limits.optimistic_tries
            if not self._backend.one_writer and (contended or job.space_id in self.lanes):
                self.lanes.open(job)
            else:
                self._attempts.forget(job.space_id)
                back.append(job)
        self._put_back(back)

    def _put_back(self, jobs: Sequence[Job]) -> None:
        """Queue jobs again before everything that came after them."""
        self._queue.put_back(jobs)
        self._resume()

    def failed(self, jobs: list[Job], error: BaseException) -> None:
        """Take back a batch that failed as a whole; nothing of it was written."""
        if isinstance(error, StorageBusyError):  # another process kept the lock
            now = time.monotonic()
            for job in jobs:
                if job.deadline <= now:
                    job.fail(error)
            self._put_back([job for job in jobs if job.deadline > now])
        elif len(jobs) > 1 and isinstance(error, (StorageError, RecursionError, MemoryError)):
            self._queue.put_back_singly(jobs)  # so that only the guilty one fails
        elif (
            isinstance(error, UniqueViolationError)  # somebody was first: look again
            and jobs[0].attempts < self._limits.optimistic_tries
        ):
            self.again(jobs)
        else:
            for job in jobs:
                job.fail(error)

    async def settle(self, attempt: Attempt, error: StorageError) -> None:
        """Find out what became of a batch whose connection broke, and answer or retry."""
        await settle_lost(self._backend, attempt, error, self._limits.lock_timeout)
        self._attempts.deliver_lost(attempt)
        for job in attempt.again:
            job.attempts += 1
        self._put_back(attempt.again)

    async def _run_locked(self, space_id: int, jobs: list[Job]) -> None:
        """Run jobs of one space under its lock, on a connection of their own."""
        attempt = self._attempts.prepare(jobs, locked=True)
        patience = self._limits.lock_timeout

        def work(ex: Executor) -> None:
            take_lock(ex, space_id, jobs[0].space_name, wait_seconds=patience)
            run_batch(ex, attempt)

        try:
            await self._backend.locked(work)
        except (ConnectionLostError, CommitUnknownError) as error:
            await self.settle(attempt, error)
        except Exception as error:
            alone = len(jobs) == 1 or isinstance(error, StorageBusyError)
            if isinstance(error, StorageError) and not alone:
                for job in jobs:
                    await self._run_locked(space_id, [job])
            else:
                for job in jobs:
                    job.fail(error)
        else:
            self._attempts.deliver(attempt)
            if attempt.again:
                self.again(attempt.again)
