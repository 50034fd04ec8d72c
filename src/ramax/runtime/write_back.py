"""The background writer of values that were read in an older shape than their schema's.

The queue holds keys only. What is written is made from what is stored when the space is locked,
and only over the very bytes that were read: so a newer write is never undone, and no key comes
back. The state version moves, so no decision and no cache rests on the older bytes (ADR-0034).
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

from ramax.core.schema import Schema
from ramax.core.state import Packed
from ramax.errors import RamaxError, SpaceNotFoundError
from ramax.runtime.cache import StateCache
from ramax.runtime.renewal import Renewed, renew
from ramax.runtime.turns import Turns
from ramax.runtime.watching import Watch

logger = logging.getLogger("ramax.write_back")


@dataclass(frozen=True, slots=True)
class WriteBackLimits:
    """How the background writer shares itself; ``interval`` in seconds, None writes nothing."""

    batch: int = 200
    interval: float | None = 1.0
    waiting: int = 100_000


@dataclass(frozen=True, slots=True)
class MigrationStats:
    """How far the lazy migration of a space has come, as this process has seen it.

    ``seen`` counts keys that were read in an older shape; of these ``written`` were written back,
    ``skipped`` had been rewritten or deleted by then, ``failed`` could not be written, ``dropped``
    found no room in the queue, and ``waiting`` still wait. A later read queues a key again. Those
    that a rebuild was about to write are in none of these.
    """

    seen: int = 0
    written: int = 0
    skipped: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


@dataclass(slots=True)
class _Space:
    """The keys of one space that wait, with the schema that found each outdated."""

    name: str
    waiting: dict[str, Schema] = field(default_factory=dict)
    stats: MigrationStats = field(default_factory=MigrationStats)
    paused: int = 0

    def count(self, **more: int) -> None:
        now = {name: getattr(self.stats, name) + by for name, by in more.items()}
        self.stats = replace(self.stats, **now)


class WriteBack:
    """Gathers keys, and writes them back after an interval, when a batch is full, or when asked."""

    def __init__(
        self, turns: Turns, cache: StateCache, limits: WriteBackLimits, *, read_only: bool
    ) -> None:
        self._turns, self._cache, self._limits = turns, cache, limits
        self._off = read_only or limits.interval is None
        self._spaces: dict[int, _Space] = {}
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._closed = False
        self.watch: Watch | None = None

    @property
    def waiting(self) -> int:
        """Keys that wait to be written back."""
        return self._waiting

    # -- who finds them --------------------------------------------------------------------------

    def add(self, space_id: int, space_name: str, keys: Mapping[str, Schema]) -> None:
        """Queue keys that were read in an older shape; on the event loop only."""
        if not space_id or self._closed:
            return
        space = self._spaces.setdefault(space_id, _Space(space_name))
        if self.watch is not None:
            self.watch.outdated(space_name, len(keys))
        for key, schema in keys.items():
            if key in space.waiting:
                space.waiting[key] = schema
                continue
            space.count(seen=1)
            if self._off or space.paused:
                continue
            if self._waiting >= self._limits.waiting:
                space.count(dropped=1)
                continue
            space.waiting[key] = schema
            self._waiting += 1
        if self._waiting >= self._limits.batch:
            self._begin()
        elif self._waiting and self._timer is None and self._task is None:
            self._wait()

    @contextmanager
    def pausing(self, space_id: int, space_name: str) -> Iterator[None]:
        """Write nothing of a space for a while: a rebuild is about to write all of it."""
        space = self._spaces.setdefault(space_id, _Space(space_name))
        space.paused += 1
        self._clear(space)
        try:
            yield
        finally:
            space.paused -= 1

    def _clear(self, space: _Space) -> None:
        self._waiting -= len(space.waiting)
        space.waiting.clear()

    def stats(self, space_id: int) -> MigrationStats:
        """Return the counts of a space since the database was opened here."""
        space = self._spaces.get(space_id)
        if space is None:
            return MigrationStats()
        return replace(space.stats, waiting=len(space.waiting))

    # -- writing ---------------------------------------------------------------------------------

    async def flush(self, space_id: int) -> int:
        """Write back what waits of a space, now; return how many keys were written.

        Raises:
            StorageError: The database failed; what was not written waits no longer.
        """
        written = 0
        async with self._writing:
            while (space := self._spaces.get(space_id)) is not None and space.waiting:
                written += await self._write_some(space_id, space)
        return written

    async def close(self) -> None:
        """Write back what waits, then take nothing more; a failure is logged."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        async with self._writing:
            await self._write_all()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _wait(self) -> None:
        assert self._limits.interval is not None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.interval, self._begin)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run(), name="ramax write-back")
            self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the write-back of migrated values broke", exc_info=error)
        if self._waiting and not self._closed:  # they came last, or somebody cancelled every task
            self._wait()

    async def _run(self) -> None:
        async with self._writing:
            await self._write_all()

    async def _write_all(self) -> None:
        """Write what waits; where the database fails, the rest waits for the next interval."""
        for space_id, space in list(self._spaces.items()):
            while space.waiting:
                try:
                    await self._write_some(space_id, space)
                except RamaxError as error:
                    logger.warning(
                        "values of space %r were not written back in their new shape: %s",
                        space.name,
                        error,
                    )
                    return

    async def _write_some(self, space_id: int, space: _Space) -> int:
        keys = dict(islice(space.waiting.items(), self._limits.batch))
        for key in keys:
            del space.waiting[key]
        self._waiting -= len(keys)
        begun = time.perf_counter()
        try:
            done = await self.write(space_id, space.name, keys)
        except SpaceNotFoundError:  # deleted: nothing of it is left to write
            self._clear(space)
            self._spaces.pop(space_id, None)
            return 0
        except BaseException:
            space.count(failed=len(keys))
            raise
        written, failed = len(done.written), len(done.failures)
        if self.watch is not None:
            seconds = time.perf_counter() - begun
            self.watch.written_back(space.name, written, failed, seconds)
        space.count(written=written, failed=failed, skipped=len(keys) - written - failed)
        for error in done.failures:
            logger.warning("a value of space %r was not migrated: %s", space.name, error)
        return written

    async def write(self, space_id: int, space_name: str, keys: Mapping[str, Schema]) -> Renewed:
        """Write some keys back in a transaction of their own.

        Raises:
            SpaceNotFoundError: The space was deleted.
            StorageError: The database failed; nothing was written.
        """
        tick = self._cache.tick(space_id)
        done = await self._turns.locked(
            f"writing back migrated values of space {space_name!r}",
            lambda ex: renew(ex, space_id, space_name, keys),
        )
        if done.written:
            before = done.guard
            after = before._replace(state_version=before.state_version + 1)
            values: dict[str, Packed | None] = dict(done.written)
            self._cache.commit(space_id, done.space_name, before, after, values, tick)
        return done
