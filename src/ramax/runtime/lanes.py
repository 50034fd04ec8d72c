"""Lanes: a contended space gets a connection of its own, so that the others' batch goes on.

Only on PostgreSQL. A job comes here when somebody else holds its space locked, or when it lost the
compare-and-set again and again; it waits for the lock, and then decides on what is certain.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from ramax.errors import CommitUnknownError
from ramax.runtime.jobs import Job

CANCELLED = "ramax's own task was cancelled from outside; look whether the command happened"

Process = Callable[[int, list[Job]], Awaitable[None]]


class Lanes:
    """Jobs of contended spaces, each space with a task that works them off in order."""

    def __init__(self, process: Process, batch: int) -> None:
        self._process, self._batch = process, batch
        self._waiting: dict[int, deque[Job]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def __contains__(self, space_id: int) -> bool:
        return space_id in self._waiting

    def takes(self, job: Job) -> bool:
        """Take a new job if its space has a lane: it must not overtake."""
        lane = self._waiting.get(job.space_id)
        if lane is None:
            return False
        lane.append(job)
        return True

    def open(self, job: Job) -> None:
        """Put a job into the lane of its space, opened if there is none."""
        if self.takes(job):
            return
        self._waiting[job.space_id] = deque([job])
        task = asyncio.create_task(self._drive(job.space_id), name="ramax lane")
        self.tasks.add(task)
        task.add_done_callback(partial(self._closed, job.space_id))

    async def _drive(self, space_id: int) -> None:
        lane = self._waiting[space_id]
        while lane:
            count = min(self._batch, len(lane))
            batch = [job for job in (lane.popleft() for _ in range(count)) if not job.future.done()]
            try:
                if batch:
                    await self._process(space_id, batch)
            except asyncio.CancelledError:
                for job in batch:
                    job.fail(CommitUnknownError(CANCELLED))
                raise

    def _closed(self, space_id: int, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        for job in self._waiting.pop(space_id):
            if task.cancelled():
                job.fail(CommitUnknownError(CANCELLED))
            else:  # it came when the task had just ended
                self.open(job)
