"""The writer's queue: jobs and turns in the order they came, shared fairly between spaces."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ramax.runtime.jobs import Job


@dataclass(eq=False, slots=True)
class Turn:
    """Somebody who needs the writing connection for himself; granted when it is his."""

    holder: str
    granted: "asyncio.Future[None]"
    timer: asyncio.TimerHandle | None = None
    expiry: asyncio.TimerHandle | None = None


class WorkQueue:
    """What waits for the writer; callers wait outside while it is full."""

    def __init__(self, size: int, batch: int) -> None:
        self._size, self._batch = size, batch
        self._share = max(1, batch // 4)
        self._items: deque[Job | Turn] = deque()
        self._outside: deque[asyncio.Future[None]] = deque()
        self._singly = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether the next caller has to wait outside."""
        return len(self._items) >= self._size

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
        """Put something behind everything else."""
        self._items.append(item)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Put jobs before everything that came after them, in their order."""
        self._items.extendleft(reversed(list(jobs)))

    def put_back_singly(self, jobs: list[Job]) -> None:
        """Put jobs back to be taken one at a time."""
        self.put_back(jobs)
        self._singly = len(jobs)

    def take_overdue(self, now: float) -> list[Job]:
        """Take the jobs that have waited longer than they may."""
        late = [i for i in self._items if isinstance(i, Job) and i.deadline <= now]
        if late:
            gone = set(map(id, late))
            self._items = deque(i for i in self._items if id(i) not in gone)
            self.let_in(len(late))
        return late

    def take_turn(self) -> Turn | None:
        """Take the turn that is next, if it is one; a turn that nobody awaits is dropped."""
        while self._items and isinstance(self._items[0], Turn):
            turn = self._items.popleft()
            assert isinstance(turn, Turn)
            if not turn.granted.done():
                return turn
        return None

    def take(self) -> list[Job]:
        """Take jobs up to the next turn; no space gets more than its share while others wait."""
        limit = self._batch
        if self._singly:
            self._singly, limit = self._singly - 1, 1
        batch: list[Job] = []
        aside: list[Job] = []
        shares: dict[int, int] = {}
        items = self._items
        while items and len(batch) < limit and len(aside) < limit * 4:
            job = items[0]
            if isinstance(job, Turn):
                break
            items.popleft()
            if job.future.done():  # its caller left before it began
                continue
            share = shares[job.space_id] = shares.get(job.space_id, 0) + 1
            (batch if share <= self._share or limit == 1 else aside).append(job)
        if aside:
            room = limit - len(batch)
            batch += aside[:room]
            self.put_back(aside[room:])
        if self._outside:
            self.let_in(self._size - len(items))
        return batch
