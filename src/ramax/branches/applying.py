"""Writing what was planned: the events of all spaces at once, their folds, what is remembered."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby

from ramax.branches.plan import Planned, SpacePlan
from ramax.core.datatypes import find_type
from ramax.core.domain import OWN_TYPES, Domain
from ramax.core.guard import Guard
from ramax.core.merging.knowledge import Origin
from ramax.core.merging.results import SpaceMerge
from ramax.errors import StorageError
from ramax.runtime.attempt import Attempt, Trial
from ramax.runtime.batch import run_batch
from ramax.runtime.catchup import fold_gap
from ramax.runtime.commands import NO_DOMAIN, causes
from ramax.runtime.core import Core
from ramax.runtime.jobs import Append, Job
from ramax.runtime.page_fold import facts_of
from ramax.runtime.projection_gap import project_gap
from ramax.storage import merges
from ramax.storage.executors import Executor
from ramax.storage.lineage import base_of
from ramax.values import Commit, Space


class Applier:
    """Writes plans of spaces that are locked, in the transaction of an executor."""

    def __init__(self, core: Core) -> None:
        """Make one; on the event loop."""
        self._core, self._now = core, core.clock()
        self._nobody: asyncio.Future[list[Commit]] = asyncio.get_running_loop().create_future()

    def apply(self, ex: Executor, plans: Sequence[SpacePlan]) -> list[SpaceMerge]:
        """Write plans, all or nothing.

        Raises:
            DataError: An event is nothing that the target's domain records.
            FoldError, ProjectionError: The target's domain cannot fold a copy.
            DomainMismatchError: The pstate of a target is the fold of other domains.
        """
        before = {
            plan.space.space_id: facts_of(ex, plan.space).guard for plan in plans if plan.events
        }
        sequences = self._append(ex, [plan for plan in plans if plan.events])
        done = []
        for plan in plans:
            space_id = plan.space.space_id
            written = sequences.get(space_id, [])
            if written:
                self._fold(ex, plan, whole=_is_whole(ex, space_id, before[space_id]))
                head = written[-1]
            else:
                head = facts_of(ex, plan.space).guard.last_sequence
            self._remember(ex, plan, written, head)
            done.append(plan.merged(head))
        return done

    def _append(self, ex: Executor, plans: Sequence[SpacePlan]) -> dict[int, list[int]]:
        """Append the events of every space with one write; return their sequences."""
        if not plans:
            return {}
        trials = [
            Trial(self._job(plan.space, domain, list(run)))
            for plan in plans
            for domain, run in groupby(plan.events, lambda each, plan=plan: _folder(plan, each))  # type: ignore[misc]
        ]
        seen = {plan.space.space_id: (None, 0) for plan in plans}
        attempt = Attempt(trials, seen, b"", self._now, locked=True)
        run_batch(ex, attempt)
        if attempt.again:
            raise StorageError(f"the lock of space {attempt.again[0].space_name!r} was lost")
        sequences: dict[int, list[int]] = {}
        for trial in attempt.trials:
            if trial.error is not None:
                raise trial.error
            rows = (trial.groups or [()])[0]
            sequences.setdefault(trial.job.space_id, []).extend(row.sequence for row in rows)
        return sequences

    def _job(self, space: Space, domain: Domain | None, run: Iterable[Planned]) -> Job:
        work = Append(domain, [each.new for each in run], causes(None, None))
        return Job(space.space_id, space.space_name, work, self._nobody)

    def _fold(self, ex: Executor, plan: SpacePlan, *, whole: bool) -> None:
        """Bring the pstate along where somebody here can fold it; else the next reader does."""
        domain = plan.domain
        if domain is None:
            own = all(each.new.event_type.startswith(OWN_TYPES) for each in plan.events)
            if not (own and whole):
                return
            domain = NO_DOMAIN
        page = self._core.options.page
        while fold_gap(ex, plan.space, domain, page, self._now) == page:
            pass
        while project_gap(ex, plan.space, domain, page, self._now):
            pass

    def _remember(self, ex: Executor, plan: SpacePlan, sequences: Sequence[int], head: int) -> None:
        at = head if sequences else head + 1  # what was forked here before does not know it
        rows: list[tuple[int, Origin, int]] = [
            (sequence, each.origin, each.kind)
            for sequence, each in zip(sequences, plan.events, strict=True)
            if each.origin is not None
        ]
        rows += [(at, origin, merges.DECLINED) for origin in plan.declined]
        merges.record(ex, plan.space.space_id, rows, plan.known, at, self._now)


def _folder(plan: SpacePlan, each: Planned) -> Domain | None:
    if each.new.event_type.startswith(OWN_TYPES):
        return find_type(each.new.event_type)
    return plan.domain


def _is_whole(ex: Executor, space_id: int, guard: Guard) -> bool:
    """Say whether a space that no domain folds was folded, or is a fork that nobody has used."""
    if guard.domains:
        return False
    return guard.checkpoint == guard.last_sequence or guard.checkpoint < base_of(ex, space_id)
