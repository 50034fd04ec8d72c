"""Waiting until a projection has got to an event: reading what one has written."""

import asyncio
import time

from ramax.core.domain import Domain
from ramax.core.limits import check_name, check_sequence
from ramax.errors import DataError, ProjectionBehindError, SpaceNotFoundError
from ramax.runtime.catchup import catch_up, catch_up_all
from ramax.runtime.core import Core
from ramax.storage import checkpoints
from ramax.storage.events import read_head
from ramax.storage.executors import Executor
from ramax.storage.reads import PSTATE
from ramax.values import Space

_SOON = 0.02
_SELDOM = 0.5


class Waiter:
    """Waits for one named reader of one space: the pstate, a projection, a subscription."""

    def __init__(self, core: Core, space: Space, domain: Domain | None, name: str) -> None:
        check_name(name, "projection name")
        self._core, self._space, self._domain, self._name = core, space, domain, name

    async def wait(
        self,
        sequence: int | None,
        timeout: float,  # noqa: ASYNC109 - the error says what was waited for
    ) -> int:
        """Wait for a sequence, by default the newest as of now, and return where it is then.

        Raises:
            ProjectionBehindError: It was not there after ``timeout`` seconds.
        """
        if sequence is not None:
            check_sequence(sequence, "sequence")
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout < 0:
            raise DataError("timeout", timeout, "is seconds, 0 or more")
        deadline, pause = time.monotonic() + timeout, _SOON
        while True:
            space = await self._core.resolve(self._space)
            with self._core.arrivals.watching(space.space_id, self._name) as arrival:
                head, at = await self._look(space)
                sequence = head if sequence is None else sequence
                if at >= sequence:
                    return at
                if at < head and await self._fold(space):
                    continue
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ProjectionBehindError(space.space_name, self._name, sequence, at)
                await _either(arrival, min(pause, left))
            pause = min(pause * 1.5, _SELDOM)

    async def _look(self, space: Space) -> tuple[int, int]:
        """Read the head of the space, and where the reader is."""
        if not space.space_id:  # before its first write
            return 0, 0

        def work(ex: Executor) -> tuple[int | None, int | None]:
            head = read_head(ex, space.space_id)
            return head, checkpoints.read(ex, space.space_id, self._name)

        head, at = await self._core.read(work)
        if head is None or at is None:
            raise SpaceNotFoundError(space.space_name)
        return head, at

    async def _fold(self, space: Space) -> bool:
        """Let what nobody runs catch up: the pstate, and inline projections."""
        if self._domain is None:
            return False
        if self._name in self._domain.projections.inline_names:
            await catch_up_all(self._core, space, self._domain)
        elif self._name == PSTATE:
            await catch_up(self._core, space, self._domain)
        else:
            return False
        return True


async def _either(arrival: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await arrival.wait()
    except TimeoutError:
        return
