"""The writer's queue: jobs and turns in the order they came, shared fairly between spaces."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ramax.runtime.jobs import Job
from ramax.runtime.turn import Turn


@dataclass(frozen=True, slots=True)
class Limits:
    """How the writer shares itself; times in seconds."""

    batch: int = 256
    queue: int = 10_000
    lock_timeout: float = 30.0
    optimistic_tries: int = 3
    slow_turn: float = 5.0


_NOBODY: Mapping[int, object] = {}

Stretch = OrderedDict[int, deque[Job]]
"""The jobs between two turns by space, in the order in which spaces get their next share."""


class WorkQueue:
    """What waits for the writer; callers wait outside while it is full."""

    def __init__(self, size: int, batch: int) -> None:
        self._size, self._batch = size, batch
        self._share = max(1, batch // 4)
        self._alone: deque[Job] = deque()
        self._stretches: deque[Stretch | Turn] = deque()
        self._length = 0
        self._outside: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return self._length

    @property
    def full(self) -> bool:
        """Whether the next caller has to wait outside."""
        return self._length >= self._size

    async def room(self) -> None:
        """Wait until something was taken out."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outside.append(place)
        await place

    def let_in(self, places: int) -> None:
        """Wake callers that wait outside."""
        while self._outside and places > 0:
            waiter = self._outside.popleft()
            if not waiter.done():
                waiter.set_result(None)
                places -= 1

    @property
    def outside(self) -> int:
        """How many callers wait outside."""
        return len(self._outside)

    def append(self, item: Job | Turn) -> None:
        """Put a turn behind everything else; a job behind those of its space, after every turn."""
        self._length += 1
        if isinstance(item, Turn):
            if self._stretches and not self._stretches[-1]:
                self._stretches.pop()  # kept for the next job, which comes after the turn
            self._stretches.append(item)
            return
        stretch = self._stretches[-1] if self._stretches else None
        if stretch is None or isinstance(stretch, Turn):
            stretch = OrderedDict()
            self._stretches.append(stretch)
        jobs = stretch.get(item.space_id)
        if jobs is None:
            stretch[item.space_id] = deque((item,))
        else:
            jobs.append(item)

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Put jobs before everything that came after them, in their order."""
        if not jobs:
            return
        self._length += len(jobs)
        stretch = self._stretches[0] if self._stretches else None
        if stretch is None or isinstance(stretch, Turn):
            stretch = OrderedDict()
            self._stretches.appendleft(stretch)
        for job in reversed(jobs):
            stretch.setdefault(job.space_id, deque()).appendleft(job)
            stretch.move_to_end(job.space_id, last=False)

    def put_back_singly(self, jobs: Sequence[Job]) -> None:
        """Put jobs before everything else, to be taken one at a time."""
        self._length += len(jobs)
        self._alone.extendleft(reversed(jobs))

    def take_overdue(self, now: float) -> list[Job]:
        """Take the jobs that have waited longer than they may."""
        late: list[Job] = []
        for stretch in self._stretches:
            if isinstance(stretch, Turn):
                continue
            for space_id, jobs in list(stretch.items()):
                late += (job for job in jobs if job.deadline <= now)
                stretch[space_id] = deque(job for job in jobs if job.deadline > now)
        self._length -= len(late)
        self.let_in(len(late))
        return late

    def take_turn(self) -> Turn | None:
        """Take the turn that is next, if it is one; a turn that nobody awaits is dropped."""
        while not self._alone and self._stretches and isinstance(self._stretches[0], Turn):
            turn = self._stretches.popleft()
            self._length -= 1
            if isinstance(turn, Turn) and not turn.granted.done():
                return turn
        return None

    def take(self, flying: Mapping[int, object] = _NOBODY, free: int = 1) -> list[Job]:
        """Take jobs up to the next turn; no space gets more than its share while others wait.

        Args:
            flying: Spaces of which jobs are on their way; the next ones wait for these.
            free: How many batches may be taken, this one included; it leaves them their part.
        """
        batch = self._take_alone(flying) if self._alone else self._take_shares(flying, free)
        if self._outside:
            self.let_in(self._size - self._length)
        return batch

    def _take_alone(self, flying: Mapping[int, object]) -> list[Job]:
        if flying:
            return []
        self._length -= 1
        job = self._alone.popleft()
        return [] if job.future.done() else [job]

    def _take_shares(self, flying: Mapping[int, object], free: int) -> list[Job]:
        batch: list[Job] = []
        if not self._stretches or isinstance(self._stretches[0], Turn):
            return batch
        stretch = self._stretches[0]
        part = -(-(len(stretch) + len(flying)) // (free + bool(flying)))
        waiting = (space_id for space_id in stretch if space_id not in flying)
        spaces = deque(islice(waiting, min(part, self._batch)))
        while spaces and (room := self._batch - len(batch)) > 0:
            space_id = spaces.popleft()
            jobs = stretch[space_id]
            count = min(self._share, room, len(jobs))
            self._length -= count
            for _ in range(count):
                job = jobs.popleft()
                if not job.future.done():  # else its caller left before it began
                    batch.append(job)
            if jobs:
                stretch.move_to_end(space_id)  # behind those who have not had theirs
                spaces.append(space_id)
            else:
                del stretch[space_id]
        if not stretch and len(self._stretches) > 1:
            self._stretches.popleft()
        return batch
