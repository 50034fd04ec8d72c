"""One batch of the writer: read what is missing, decide in memory, write everything at once.

Synchronous, and the same on every database: it runs in the thread of the SQLite connection, or in
a greenlet over asyncpg. A decision rests on the guard of its space: read under the lock where one
is held, else the one this process knows, which the write compares and sets. Whoever loses decides
again; even a "no" is only given once the guard that it rests on is known to have held.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from ramax.core.space_write import SpaceWrite
from ramax.core.state import Packed, ReadFailedError
from ramax.core.unit import SpaceUnit
from ramax.errors import SpaceNotFoundError
from ramax.runtime.attempt import COMMANDS_OWN, Attempt, Trial, commits_of
from ramax.runtime.cache import Known
from ramax.runtime.discovery import discover, fetch
from ramax.runtime.projecting import project_with
from ramax.runtime.remembered import Remembered
from ramax.storage import idempotency
from ramax.storage.backend import write_plan
from ramax.storage.chain import hash_rows
from ramax.storage.executors import Executor
from ramax.storage.links import index_rows
from ramax.storage.origins import origin_rows
from ramax.storage.plan import EventIds, Extra, WritePlan
from ramax.storage.projections import projection_rows
from ramax.storage.reads import Facts, read_facts, uncatchable
from ramax.storage.spaces import domains_row
from ramax.storage.stored_log import StoredLog
from ramax.storage.tables import DialectName
from ramax.storage.tags import tag_rows
from ramax.storage.text_index import search_rows


def run_batch(ex: Executor, attempt: Attempt) -> None:
    """Decide and write a batch; the results are in ``attempt.answered`` and ``attempt.again``.

    On SQLite nothing counts before the caller's COMMIT. ``again`` holds jobs whose space was
    locked or lost; the caller requeues them.
    """
    _decide(ex, attempt)
    if attempt.begun:
        attempt.decided = time.perf_counter()
    writes = [w for unit in attempt.units.values() if (w := unit.write()) is not None]
    done: Mapping[int, EventIds] = {}
    if writes:
        extras = _extras(ex.tables.dialect, attempt, writes)
        attempt.plan = WritePlan(writes, attempt.token, attempt.now, extras)
        done = write_plan(ex, attempt.plan)
    _conclude(ex, attempt, writes, done)


def _decide(ex: Executor, attempt: Attempt) -> None:
    seen = attempt.seen
    facts: Mapping[int, Facts] = {}
    if attempt.locked or attempt.local_reads:
        unknown = [i for i, (known, _) in seen.items() if known is None or attempt.locked]
        if unknown:
            facts = read_facts(ex, dict.fromkeys(unknown, ()))
            attempt.fresh = unknown
    else:
        wanted = discover(ex, attempt)
        if wanted is None:
            return
        facts = fetch(ex, attempt, wanted)
    for space_id, (known, _) in seen.items():
        unit = _unit(ex, attempt, space_id, known, facts.get(space_id))
        if unit is not None:
            attempt.units[space_id] = unit
    project_with(ex, attempt.units)
    _run_jobs(ex, attempt)


_NOTHING: Mapping[str, Packed | None] = {}


def _unit(
    ex: Executor, attempt: Attempt, space_id: int, known: Known | None, facts: Facts | None
) -> SpaceUnit | None:
    """Open a unit of work on what is known, or was read; None if the space is not there."""
    if facts is not None:
        same = known is not None and known.guard[:2] == facts.guard[:2]
        stored = Remembered(ex, space_id, known.values if known is not None and same else _NOTHING)
        return SpaceUnit(space_id, facts.space_name, facts.guard, stored, facts.values)
    if known is None or attempt.locked:
        return None
    return SpaceUnit(
        space_id, known.space_name, known.guard, Remembered(ex, space_id, known.values)
    )


def _run_jobs(ex: Executor, attempt: Attempt) -> None:
    logs = {space_id: StoredLog(ex, space_id) for space_id in attempt.units}
    for trial in attempt.trials:
        job = trial.job
        unit = attempt.units.get(job.space_id)
        if unit is None:
            trial.error = SpaceNotFoundError(job.space_name)
            continue
        try:
            if job.idempotency_key is not None and _repeat(ex, attempt, trial, unit):
                continue
            trial.head = unit.head
            trial.groups = job.work.run(unit, logs[job.space_id], attempt.now)
            if job.idempotency_key is not None:
                unit.touched = True
        except ReadFailedError as failure:
            raise failure.error from failure
        except COMMANDS_OWN as error:  # it fails alone
            trial.fail(error)


def _repeat(ex: Executor, attempt: Attempt, trial: Trial, unit: SpaceUnit) -> bool:
    """Answer a repeated idempotency key: from this batch, or from the database."""
    job = trial.job
    assert job.idempotency_key is not None
    mark = (job.space_id, job.idempotency_key)
    first = attempt.keys.get(mark)
    if first is not None and first.error is None:
        before = first.job.fingerprint
        idempotency.check(unit.space_name, job.idempotency_key, before, job.fingerprint)
        trial.first = first
        return True
    found = uncatchable(idempotency.find, ex, job.space_id, job.idempotency_key)
    if found is None:
        attempt.keys[mark] = trial
        return False
    idempotency.check(unit.space_name, job.idempotency_key, found.fingerprint, job.fingerprint)
    trial.commits = uncatchable(idempotency.replay, ex, job.space_id, found)
    return True


def _extras(dialect: DialectName, attempt: Attempt, writes: Sequence[SpaceWrite]) -> list[Extra]:
    extras = [domains_row(w.space_id, w.domains) for w in writes if w.domains is not None]
    rows = [
        idempotency.row(space_id, key, trial.job.fingerprint, trial.groups, trial.head, attempt.now)
        for (space_id, key), trial in attempt.keys.items()
        if trial.groups is not None
    ]
    if rows:
        extras.append(Extra(idempotency.insert, rows))
    extras += tag_rows(writes)
    for write in writes:
        extras += hash_rows(write)
    extras += origin_rows(writes)
    extras += index_rows(writes)
    extras += projection_rows(writes, attempt.now)
    return extras + search_rows(dialect, writes)


def _conclude(
    ex: Executor, attempt: Attempt, writes: Iterable[SpaceWrite], done: Mapping[int, EventIds]
) -> None:
    lost = attempt.units.keys() - done.keys()
    if lost:  # or nothing was to be written, and the guard held, or may have
        untried = lost - {write.space_id for write in writes}
        doubtful = untried - set(attempt.fresh)
        lost -= untried - doubtful
        if doubtful:
            lost -= _still_true(ex, attempt, doubtful)
    answered, again = [], []
    for trial in attempt.trials:
        if trial.job.space_id in lost:
            again.append(trial.job)
        else:
            _answer(trial, done)
            answered.append(trial)
    attempt.answered, attempt.again = answered, again


def _still_true(ex: Executor, attempt: Attempt, spaces: set[int]) -> set[int]:
    """Return the spaces in which nothing was written and whose guard is still what it was."""
    now = read_facts(ex, dict.fromkeys(spaces, ()))
    return {
        space_id
        for space_id in spaces
        if space_id in now and now[space_id].guard[:2] == attempt.units[space_id].guard[:2]
    }


def _answer(trial: Trial, done: Mapping[int, EventIds]) -> None:
    first = trial.first or trial
    if first.groups is not None:
        ids = done.get(trial.job.space_id, _NO_IDS)
        trial.commits = commits_of(
            trial.job.space_id, first.groups, ids, first.head, replayed=first is not trial
        )


_NO_IDS: EventIds = {}
