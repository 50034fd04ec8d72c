"""One batch of the writer: read what is missing, decide in memory, write everything at once.

Synchronous, and the same on every database: it runs in the thread of the SQLite connection, or in
a greenlet over asyncpg. A decision rests on the guard of its space: read under the lock where one
is held, else the one this process knows, which the write compares and sets. Whoever loses decides
again; even a "no" is only given once the guard that it rests on is known to have held.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ramax.core.query import Query
from ramax.core.state import KeysMissingError, Packed, ReadFailedError
from ramax.core.unit import Guard, SpaceUnit, SpaceWrite, as_commit
from ramax.errors import MisuseError, SpaceNotFoundError
from ramax.runtime.cache import Known
from ramax.runtime.jobs import Groups, Job
from ramax.storage import idempotency
from ramax.storage.backend import write_plan
from ramax.storage.chain import hash_rows
from ramax.storage.executors import Executor
from ramax.storage.links import index_rows
from ramax.storage.plan import Extra, WritePlan, Written
from ramax.storage.reads import (
    Facts,
    StoredSource,
    read_facts,
    read_known,
    uncatchable,
)
from ramax.storage.spaces import domains_row
from ramax.storage.stored_log import StoredLog
from ramax.storage.tags import tag_rows
from ramax.values import Commit


class _Stored(StoredSource):
    """Reads misses from what is known at this guard, then from the database."""

    def __init__(self, ex: Executor, space_id: int, values: Mapping[str, Packed | None]) -> None:
        super().__init__(ex, space_id)
        self._values = values

    def load(self, key: str) -> Packed | None:
        found = self._values.get(key, _ABSENT)
        return super().load(key) if found is _ABSENT else found


class _Collector:
    """Answers from memory only, and notes what it could not answer."""

    __slots__ = ("_values", "missing")

    def __init__(self, values: Mapping[str, Packed | None]) -> None:
        self._values = values
        self.missing: dict[str, None] = {}

    def load(self, key: str) -> Packed | None:
        found = self._values.get(key, _ABSENT)
        if found is _ABSENT:
            self.missing[key] = None
            raise KeysMissingError([key])
        return found  # type: ignore[no-any-return]

    def load_range(self, _low: str, _high: str) -> Mapping[str, Packed]:
        raise KeysMissingError([])


@dataclass(slots=True)
class Answer:
    """What one job came to: its commits, or an error."""

    job: Job
    commits: list[Commit] = field(default_factory=list)
    error: BaseException | None = None

    def tell(self) -> None:
        """Give the caller what came of it."""
        if self.error is not None:
            self.job.fail(self.error)
        else:
            self.job.answer(self.commits)


@dataclass(slots=True)
class Attempt:
    """One try at a batch; kept outside so that a lost connection leaves its plan behind."""

    jobs: Sequence[Job]
    token: bytes
    now: int
    locked: bool
    """The spaces are locked: their guards are read, and hold."""

    local_reads: bool = True
    """A read costs no round trip, so there is no need to find out first what will be read."""

    fresh: set[int] = field(default_factory=set)
    """Spaces whose guard was read under a lock that still holds."""

    known: Mapping[int, Known] = field(default_factory=dict)
    ticks: Mapping[int, int] = field(default_factory=dict)
    units: dict[int, SpaceUnit] = field(default_factory=dict)
    groups: dict[Job, Groups | BaseException] = field(default_factory=dict)
    heads: dict[Job, int] = field(default_factory=dict)
    replayed: dict[Job, list[Commit]] = field(default_factory=dict)
    keys: dict[tuple[int, str], Job] = field(default_factory=dict)
    repeats: dict[Job, Job] = field(default_factory=dict)
    plan: WritePlan | None = None
    answers: list[Answer] = field(default_factory=list)
    again: list[Job] = field(default_factory=list)
    begun: float = 0.0
    """When it began, by `time.perf_counter`, where somebody watches."""
    decided: float = 0.0


def run_batch(ex: Executor, attempt: Attempt) -> None:
    """Decide and write a batch; the results are in ``attempt.answers`` and ``attempt.again``.

    On SQLite nothing counts before the caller's COMMIT. ``again`` holds jobs whose space was
    locked or lost; the caller requeues them.
    """
    _decide(ex, attempt)
    if attempt.begun:
        attempt.decided = time.perf_counter()
    writes = [w for unit in attempt.units.values() if (w := unit.write()) is not None]
    done: dict[int, Written] = {}
    if writes:
        attempt.plan = WritePlan(writes, attempt.token, attempt.now, _extras(attempt, writes))
        done = write_plan(ex, attempt.plan)
    _conclude(ex, attempt, writes, done)


def _decide(ex: Executor, attempt: Attempt) -> None:
    spaces = dict.fromkeys(job.space_id for job in attempt.jobs)
    if attempt.locked or attempt.local_reads:
        unknown = spaces if attempt.locked else spaces.keys() - attempt.known.keys()
        facts = read_facts(ex, dict.fromkeys(unknown, ())) if unknown else {}
        attempt.fresh.update(unknown)
    else:
        wanted = _discover(attempt)
        if wanted is None:
            return
        facts = _fetch(ex, attempt, wanted)
    for space_id in spaces:
        _open_unit(ex, attempt, space_id, facts.get(space_id))
    _run_jobs(ex, attempt)


def _fetch(ex: Executor, attempt: Attempt, wanted: dict[int, list[str]]) -> dict[int, Facts]:
    """Fetch what is missing with one statement; guards as well where one is not known."""
    known = attempt.known
    if wanted.keys() <= known.keys() and any(wanted.values()):
        values = read_known(ex, wanted)
        return {i: Facts(known[i].space_name, known[i].guard, values[i]) for i in wanted}
    return read_facts(ex, wanted)


def _discover(attempt: Attempt) -> dict[int, list[str]] | None:
    """Try the batch on what is in memory; return what has to be fetched, or None if nothing.

    Commands are pure, so a first pass that finds out which keys they read costs little next to a
    round trip for each.
    """
    wanted: dict[int, list[str]] = {}
    if any(job.idempotency_key for job in attempt.jobs):
        wanted = {job.space_id: [] for job in attempt.jobs}
    collectors: dict[int, _Collector] = {}
    for space_id in dict.fromkeys(job.space_id for job in attempt.jobs):
        known = attempt.known.get(space_id) or _UNKNOWN
        collector = collectors[space_id] = _Collector(known.values)
        attempt.units[space_id] = SpaceUnit(space_id, known.space_name, known.guard, collector)
        if known is _UNKNOWN:
            wanted[space_id] = []
    for job in attempt.jobs:
        unit = attempt.units[job.space_id]
        attempt.heads[job] = unit.head
        try:
            attempt.groups[job] = job.work.run(unit, _UNKNOWN_LOG, attempt.now)
        except KeysMissingError:
            wanted.setdefault(job.space_id, [])
        except _THE_COMMANDS_OWN as error:
            attempt.groups[job] = _told(error)
    for space_id, collector in collectors.items():
        if collector.missing:
            wanted[space_id] = list(collector.missing)
    if not wanted:
        return None
    attempt.units.clear()
    attempt.groups.clear()
    return wanted


_ABSENT: Any = object()
_NOTHING: Mapping[str, Packed | None] = {}
_UNKNOWN = Known("", Guard(0, 0, 0, 0, None))


class _UnknownLog:
    """Answers nothing from memory: the batch has to ask the database."""

    def types_up_to(self, _upto: int) -> frozenset[str]:
        raise KeysMissingError([])

    def count_of(self, _entity_id: str, _upto: int, _most: int) -> int:
        raise KeysMissingError([])

    def newest_match(self, _query: Query, _after: int, _upto: int) -> int | None:
        raise KeysMissingError([])


_UNKNOWN_LOG = _UnknownLog()


def _open_unit(ex: Executor, attempt: Attempt, space_id: int, facts: Facts | None) -> None:
    known = attempt.known.get(space_id)
    if facts is None:
        if known is None or attempt.locked:
            return  # the database does not know the space
        facts = Facts(known.space_name, known.guard, {})
    held = known.values if known is not None and known.guard[:2] == facts.guard[:2] else _NOTHING
    attempt.units[space_id] = SpaceUnit(
        space_id, facts.space_name, facts.guard, _Stored(ex, space_id, held), facts.values
    )


def _run_jobs(ex: Executor, attempt: Attempt) -> None:
    for job in attempt.jobs:
        unit = attempt.units.get(job.space_id)
        if unit is None:
            attempt.groups[job] = SpaceNotFoundError(job.space_name)
            continue
        try:
            if job.idempotency_key is not None and _repeat(ex, attempt, job, unit):
                continue
            attempt.heads[job] = unit.head
            log = StoredLog(ex, unit.space_id)
            attempt.groups[job] = job.work.run(unit, log, attempt.now)
            unit.touched |= job.idempotency_key is not None
        except ReadFailedError as failure:
            raise failure.error from failure
        except _THE_COMMANDS_OWN as error:  # it fails alone
            attempt.groups[job] = _told(error)


# raised by a command, the last two would look as if somebody had cancelled the writer
_THE_COMMANDS_OWN = (Exception, asyncio.CancelledError, GeneratorExit)


def _told(error: BaseException) -> BaseException:
    if isinstance(error, Exception):
        return error
    misuse = MisuseError(f"a command raised {type(error).__name__}; raise an Exception instead")
    misuse.__cause__ = error
    return misuse


def _repeat(ex: Executor, attempt: Attempt, job: Job, unit: SpaceUnit) -> bool:
    """Answer a repeated idempotency key: from this batch, or from the database."""
    assert job.idempotency_key is not None
    mark = (job.space_id, job.idempotency_key)
    first = attempt.keys.get(mark)
    if first is not None and not isinstance(attempt.groups.get(first), BaseException):
        idempotency.check(unit.space_name, job.idempotency_key, first.fingerprint, job.fingerprint)
        attempt.repeats[job] = first
        return True
    found = uncatchable(idempotency.find, ex, job.space_id, job.idempotency_key)
    if found is None:
        attempt.keys[mark] = job
        return False
    idempotency.check(unit.space_name, job.idempotency_key, found.fingerprint, job.fingerprint)
    attempt.replayed[job] = uncatchable(idempotency.replay, ex, job.space_id, found)
    return True


def _extras(attempt: Attempt, writes: Sequence[SpaceWrite]) -> list[Extra]:
    extras = [domains_row(w.space_id, w.domains) for w in writes if w.domains is not None]
    rows = []
    for (space_id, key), job in attempt.keys.items():
        groups = attempt.groups.get(job)
        if isinstance(groups, list):
            head = attempt.heads[job]
            rows.append(idempotency.row(space_id, key, job.fingerprint, groups, head, attempt.now))
    if rows:
        extras.append(Extra(idempotency.insert, rows))
    extras += tag_rows(writes)
    for write in writes:
        extras += hash_rows(write)
    return extras + index_rows(writes)


def _conclude(
    ex: Executor, attempt: Attempt, writes: list[SpaceWrite], done: dict[int, Written]
) -> None:
    tried = {w.space_id for w in writes}
    proven = done.keys() | (attempt.fresh - tried)
    if doubtful := attempt.units.keys() - tried - proven:
        proven |= _still_true(ex, attempt, doubtful)
    for job in attempt.jobs:
        if job.space_id in attempt.units and job.space_id not in proven:
            attempt.again.append(job)
        else:
            attempt.answers.append(_answer(attempt, job, done))


def _still_true(ex: Executor, attempt: Attempt, spaces: set[int]) -> set[int]:
    """Return the spaces in which nothing was written and whose guard is still what it was."""
    now = read_facts(ex, dict.fromkeys(spaces, ()))
    return {
        space_id
        for space_id in spaces
        if space_id in now and now[space_id].guard[:2] == attempt.units[space_id].guard[:2]
    }


def _answer(attempt: Attempt, job: Job, done: dict[int, Written]) -> Answer:
    if job in attempt.replayed:
        return Answer(job, attempt.replayed[job])
    first = attempt.repeats.get(job)
    groups = attempt.groups[first or job]
    if isinstance(groups, BaseException):
        return Answer(job, error=groups)
    written = done.get(job.space_id)
    ids = written.event_ids if written else {}
    commits = commits_of(job.space_id, groups, ids, attempt.heads[first or job])
    if first is not None:
        commits = [replace(commit, replayed=True) for commit in commits]
    return Answer(job, commits)


def commits_of(
    space_id: int, groups: Groups, event_ids: Mapping[int, int], head: int
) -> list[Commit]:
    """Make the answers of a job; a command without events stands at the head before it."""
    commits = []
    for rows in groups:
        head = rows[-1].sequence if rows else head
        commits.append(as_commit(space_id, rows, event_ids, head))
    return commits
