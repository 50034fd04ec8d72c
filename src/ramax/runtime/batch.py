"""One batch of the writer: read what is missing, decide in memory, write everything at once.

Synchronous, and the same on every database: it runs in the thread of the SQLite connection, or in
a greenlet over asyncpg. A decision rests on the guard of its space: read under the lock where one
is held, else the one this process knows, which the write compares and sets. Whoever loses decides
again; even a "no" is only given once the guard that it rests on is known to have held.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramax.core.event_row import as_commit
from ramax.core.guard import Guard
from ramax.core.query import Query
from ramax.core.space_write import SpaceWrite
from ramax.core.state import End, KeysMissingError, Packed, ReadFailedError
from ramax.core.sync.record import EventRecord
from ramax.core.sync.runs import Newest
from ramax.core.unit import SpaceUnit
from ramax.errors import MisuseError, SpaceNotFoundError
from ramax.runtime.cache import Known
from ramax.runtime.jobs import Groups, Job
from ramax.runtime.projecting import projector
from ramax.storage import idempotency
from ramax.storage.backend import write_plan
from ramax.storage.chain import hash_rows
from ramax.storage.executors import Executor
from ramax.storage.links import index_rows
from ramax.storage.origins import origin_rows
from ramax.storage.plan import EventIds, Extra, WritePlan
from ramax.storage.projections import projection_rows
from ramax.storage.reads import (
    Facts,
    StoredSource,
    read_facts,
    read_known,
    uncatchable,
)
from ramax.storage.spaces import domains_row
from ramax.storage.stored_log import StoredLog
from ramax.storage.tables import DialectName
from ramax.storage.tags import tag_rows
from ramax.storage.text_index import search_rows
from ramax.values import Commit


class _Stored(StoredSource):
    """Reads misses from what is known at this guard, then from the database."""

    __slots__ = ("_values",)

    def __init__(self, ex: Executor, space_id: int, values: Mapping[str, Packed | None]) -> None:
        self._ex, self._space_id, self._values = ex, space_id, values

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

    def load_nearest(self, _low: str, _high: str, _end: End) -> str | None:
        raise KeysMissingError([])


@dataclass(slots=True, eq=False)
class Trial:
    """One job in one attempt: what was decided, and what its caller gets."""

    job: Job
    groups: Groups | None = None
    """The events of each of its commands, once they are decided."""

    head: int = 0
    """The sequence of the space before it."""

    error: BaseException | None = None
    commits: list[Commit] = field(default_factory=list)
    first: "Trial | None" = None
    """The one in this batch that has the same idempotency key, and came before."""

    def tell(self) -> None:
        """Give the caller what came of it."""
        if self.error is not None:
            self.job.fail(self.error)
        else:
            self.job.answer(self.commits)


Seen = tuple[Known | None, int]
"""What was known of a space before an attempt, and the cache's `tick` that goes with it."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One try at a batch; kept outside so that a lost connection leaves its plan behind."""

    trials: Sequence[Trial]
    seen: Mapping[int, Seen]
    """Every space of the batch, in the order in which they came."""

    token: bytes
    now: int
    locked: bool
    """The spaces are locked: their guards are read, and hold."""

    local_reads: bool = True
    """A read costs no round trip, so there is no need to find out first what will be read."""

    fresh: Iterable[int] = ()
    """Spaces whose guard was read under a lock that still holds."""

    units: dict[int, SpaceUnit] = field(default_factory=dict)
    keys: dict[tuple[int, str], Trial] = field(default_factory=dict)
    """Idempotency keys that are new."""

    plan: WritePlan | None = None
    answered: Sequence[Trial] = ()
    again: Sequence[Job] = ()
    begun: float = 0.0
    """When it began, by `time.perf_counter`, where somebody watches."""
    decided: float = 0.0

    @property
    def jobs(self) -> list[Job]:
        """The jobs of the batch."""
        return [trial.job for trial in self.trials]


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
        wanted = _discover(ex, attempt)
        if wanted is None:
            return
        facts = _fetch(ex, attempt, wanted)
    for space_id, (known, _) in seen.items():
        unit = _unit(ex, attempt, space_id, known, facts.get(space_id))
        if unit is not None:
            attempt.units[space_id] = unit
    _project_with(ex, attempt)
    _run_jobs(ex, attempt)


def _project_with(ex: Executor, attempt: Attempt) -> None:
    """Let units make the statements of inline projections; to ask who has some costs more."""
    project = projector(ex.tables)
    for unit in attempt.units.values():
        unit.project = project


def _fetch(ex: Executor, attempt: Attempt, wanted: dict[int, list[str]]) -> dict[int, Facts]:
    """Fetch what is missing with one statement; guards as well where one is not known."""
    known = {i: found for i, (found, _) in attempt.seen.items() if found is not None}
    if wanted.keys() <= known.keys() and any(wanted.values()):
        values = read_known(ex, wanted)
        return {i: Facts(known[i].space_name, known[i].guard, values[i]) for i in wanted}
    return read_facts(ex, wanted)


def _discover(ex: Executor, attempt: Attempt) -> dict[int, list[str]] | None:
    """Try the batch on what is in memory; return what has to be fetched, or None if nothing.

    Commands are pure, so a first pass that finds out which keys they read costs little next to a
    round trip for each.
    """
    wanted: dict[int, list[str]] = {}
    if any(trial.job.idempotency_key for trial in attempt.trials):
        wanted = {space_id: [] for space_id in attempt.seen}
    collectors: dict[int, _Collector] = {}
    for space_id, (found, _) in attempt.seen.items():
        known = found or _UNKNOWN
        collector = collectors[space_id] = _Collector(known.values)
        attempt.units[space_id] = SpaceUnit(space_id, known.space_name, known.guard, collector)
        if known is _UNKNOWN:
            wanted[space_id] = []
    _project_with(ex, attempt)
    for trial in attempt.trials:
        if not _in_memory(trial, attempt.units[trial.job.space_id], attempt.now):
            wanted.setdefault(trial.job.space_id, [])
    for space_id, collector in collectors.items():
        if collector.missing:
            wanted[space_id] = list(collector.missing)
    if not wanted:
        return None
    attempt.units.clear()
    for trial in attempt.trials:
        trial.groups = trial.error = None
    return wanted


def _in_memory(trial: Trial, unit: SpaceUnit, now: int) -> bool:
    """Try a job on what is in memory; say whether that was all it asked for."""
    trial.head = unit.head
    try:
        trial.groups = trial.job.work.run(unit, _UNKNOWN_LOG, now)
    except KeysMissingError:
        return False
    except _THE_COMMANDS_OWN as error:
        trial.error = _told(error)
    return True


_ABSENT: Any = object()
_NOTHING: Mapping[str, Packed | None] = {}
_UNKNOWN = Known("", Guard(0, 0, 0, 0, None))


class _UnknownLog:
    """Answers nothing from memory: the batch has to ask the database."""

    def types_up_to(self, _upto: int) -> frozenset[str]:
        raise KeysMissingError([])

    def count_of(self, _entity_id: str, _upto: int, _most: int) -> int:
        raise KeysMissingError([])

    def standing_at(self, _sequence: int) -> frozenset[str]:
        raise KeysMissingError([])

    def newest_match(self, _query: Query, _after: int, _upto: int) -> int | None:
        raise KeysMissingError([])

    def newest(self) -> dict[bytes, Newest]:
        raise KeysMissingError([])

    def record_at(self, _origin: bytes, _origin_seq: int) -> EventRecord | None:
        raise KeysMissingError([])

    def ids_of(self, _uids: Collection[bytes]) -> dict[bytes, int]:
        raise KeysMissingError([])


_UNKNOWN_LOG = _UnknownLog()


def _unit(
    ex: Executor, attempt: Attempt, space_id: int, known: Known | None, facts: Facts | None
) -> SpaceUnit | None:
    """Open a unit of work on what is known, or was read; None if the space is not there."""
    if facts is not None:
        same = known is not None and known.guard[:2] == facts.guard[:2]
        stored = _Stored(ex, space_id, known.values if known is not None and same else _NOTHING)
        return SpaceUnit(space_id, facts.space_name, facts.guard, stored, facts.values)
    if known is None or attempt.locked:
        return None
    return SpaceUnit(space_id, known.space_name, known.guard, _Stored(ex, space_id, known.values))


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
        except _THE_COMMANDS_OWN as error:  # it fails alone
            trial.error = _told(error)


# raised by a command, the last two would look as if somebody had cancelled the writer
_THE_COMMANDS_OWN = (Exception, asyncio.CancelledError, GeneratorExit)


def _told(error: BaseException) -> BaseException:
    if isinstance(error, Exception):
        return error
    misuse = MisuseError(f"a command raised {type(error).__name__}; raise an Exception instead")
    misuse.__cause__ = error
    return misuse


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


def commits_of(
    space_id: int, groups: Groups, event_ids: EventIds, head: int, *, replayed: bool = False
) -> list[Commit]:
    """Make the answers of a job; a command without events stands at the head before it."""
    commits = []
    for rows in groups:
        head = rows[-1].sequence if rows else head
        commits.append(as_commit(space_id, rows, event_ids, head, replayed=replayed))
    return commits
