"""Attempts at jobs: prepared with what the cache knows; what came of them goes back there."""

import random
import time
from collections.abc import Callable, Sequence

from ramax.runtime.attempt import Attempt, Seen, Trial
from ramax.runtime.cache import StateCache
from ramax.runtime.complaints import OnOutdated, nobody_cares, notice
from ramax.runtime.jobs import Job
from ramax.runtime.watching import Watch, report_of
from ramax.storage.backend import Backend

Clock = Callable[[], int]
"""Gives UTC microseconds."""


class Attempts:
    """Makes attempts, and tells the cache, the callers and whoever listens what came of them."""

    def __init__(self, backend: Backend, cache: StateCache, clock: Clock) -> None:
        self._cache, self.clock = cache, clock
        self._local_reads = backend.local_reads
        self._tokens = random.SystemRandom().getrandbits(64)
        self.watch: Watch | None = None
        self.on_commit: Callable[[Sequence[int]], None] = lambda _spaces: None
        self.on_outdated: OnOutdated = nobody_cares

    def prepare(self, jobs: Sequence[Job], *, locked: bool) -> Attempt:
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
        local = locked or self._local_reads
        begun = 0.0 if self.watch is None else time.perf_counter()
        trials = [Trial(job) for job in jobs]
        return Attempt(trials, seen, token, self.clock(), locked, local, begun=begun)

    def deliver(self, attempt: Attempt) -> None:
        """Answer the callers of a batch that is committed, all but those who lost a race."""
        if self.watch is not None:
            self.watch.batch(report_of(attempt, time.perf_counter()))
        self._learn(attempt)
        notice(attempt.units, self.on_outdated)
        for trial in attempt.answered:
            trial.tell()

    def deliver_lost(self, attempt: Attempt) -> None:
        """Answer the callers of a batch whose connection broke; nothing is learned from it."""
        for job in attempt.jobs:
            self._cache.forget(job.space_id)
        for trial in attempt.answered:
            trial.tell()
        if attempt.plan is not None:
            self.on_commit([write.space_id for write in attempt.plan.spaces])

    def forget(self, space_id: int) -> None:
        """Look at a space again before the next attempt at a job of it."""
        self._cache.forget(space_id)

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
