"""Rebuild: replacing a space's pstate by the fold of its whole history, while writes go on.

History is folded beside the live pstate and compared with it. Only then is the space's lock
taken, for the events that came meanwhile and for the differences, in one transaction: readers see
the old state or the new one, and a crash leaves the old one.
"""

import time
from collections.abc import Callable

from ramax.core.domain import Domain
from ramax.core.guard import Guard
from ramax.runtime.core import Core
from ramax.runtime.refold import Refold, StaleError
from ramax.storage.executors import Executor
from ramax.values import Progress, Space

_TAIL = 1000
"""Events that may be left to fold under the lock."""

_FREE_TRIES = 3
"""How often others may replace the pstate before everything is compared under the lock."""


async def rebuild(
    core: Core,
    space: Space,
    domain: Domain,
    progress: Callable[[Progress], object] | None = None,
) -> int:
    """Rebuild one space and return how many events were folded.

    Raises:
        FoldError: An applicator failed; the old pstate stays.
        SpaceNotFoundError: There is no such space, or it was deleted meanwhile.
        StorageError: The database failed, or the temporary file; the old pstate stays.
    """
    new = Refold(domain, space, core.options.page, core.options.rebuild_memory)
    try:
        with core.write_back.pausing(space.space_id, space.space_name):
            await _watched(core, space, new, progress)
    finally:
        new.close()
    core.tell([space.space_id])
    return new.sequence


async def _watched(
    core: Core, space: Space, new: Refold, progress: Callable[[Progress], object] | None
) -> None:
    watch = core.watch
    if watch is None:
        await _Rebuild(core, space, new, progress).run()
        return

    def tell(done: Progress) -> None:
        watch.progress("rebuild", space.space_name, done)
        if progress is not None:
            progress(done)

    with watch.operation("rebuild", space.space_name) as operation:
        await _Rebuild(core, space, new, tell).run()
        operation.facts["events"] = new.sequence


class _Rebuild:
    """The order of steps: what runs beside the live writes, what under the lock."""

    def __init__(
        self,
        core: Core,
        space: Space,
        new: Refold,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self._core, self._space, self._new, self._progress = core, space, new, progress
        self._started = time.monotonic()
        self._reported = -1

    async def run(self) -> None:
        for _ in range(_FREE_TRIES):
            compared = await self._follow()
            await self._compare()
            while (await self._follow()).last_sequence - self._new.sequence > _TAIL:
                pass
            if await self._swap(compared):
                return
        await self._follow()
        await self._swap(None)

    async def _follow(self) -> Guard:
        """Fold what there is and return a guard that was read after it."""
        while True:
            more, guard = await self._core.read_whole(self._fold_page)
            if guard is not None:
                self._report(guard.last_sequence)
                if not more:
                    return guard

    def _fold_page(self, ex: Executor) -> tuple[bool, Guard | None]:
        """Fold a page; read the guard after the last one, and after each if somebody watches."""
        more = self._new.fold_page(ex)
        return more, self._new.guard(ex) if self._progress is not None or not more else None

    def _report(self, total: int) -> None:
        done = self._new.sequence
        if self._progress is not None and done != self._reported:
            self._reported = done
            self._progress(Progress(done, total, time.monotonic() - self._started))

    async def _compare(self) -> None:
        self._new.begin_comparison()
        while await self._core.read_whole(self._new.compare_page):
            pass

    async def _swap(self, compared: Guard | None) -> bool:
        core, space = self._core, self._space
        try:
            await core.turns.locked(
                f"rebuilding space {space.space_name!r}",
                lambda ex: self._new.swap(ex, compared, core.clock()),
            )
        except StaleError:
            return False
        finally:
            core.cache.forget(space.space_id)
        return True
