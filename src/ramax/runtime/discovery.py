"""What a batch will read, found out by trying it on what is in memory, and fetched at once."""

from collections.abc import Collection

from ramax.core.guard import Guard
from ramax.core.query import Query
from ramax.core.state import KeysMissingError
from ramax.core.sync.record import EventRecord
from ramax.core.sync.runs import Newest
from ramax.core.unit import SpaceUnit
from ramax.runtime.attempt import COMMANDS_OWN, Attempt, Trial
from ramax.runtime.cache import Known
from ramax.runtime.projecting import project_with
from ramax.runtime.remembered import RememberedOnly
from ramax.storage.executors import Executor
from ramax.storage.reads import Facts, read_facts, read_known


def discover(ex: Executor, attempt: Attempt) -> dict[int, list[str]] | None:
    """Try the batch on what is in memory; return what has to be fetched, or None if nothing.

    Commands are pure, so a first pass that finds out which keys they read costs little next to a
    round trip for each.
    """
    wanted: dict[int, list[str]] = {}
    if any(trial.job.idempotency_key for trial in attempt.trials):
        wanted = {space_id: [] for space_id in attempt.seen}
    collectors: dict[int, RememberedOnly] = {}
    for space_id, (found, _) in attempt.seen.items():
        known = found or _UNKNOWN
        collector = collectors[space_id] = RememberedOnly(known.values)
        attempt.units[space_id] = SpaceUnit(space_id, known.space_name, known.guard, collector)
        if known is _UNKNOWN:
            wanted[space_id] = []
    project_with(ex, attempt.units)
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
    except COMMANDS_OWN as error:
        trial.fail(error)
    return True


def fetch(ex: Executor, attempt: Attempt, wanted: dict[int, list[str]]) -> dict[int, Facts]:
    """Fetch what is missing with one statement; guards as well where one is not known."""
    known = {i: found for i, (found, _) in attempt.seen.items() if found is not None}
    if wanted.keys() <= known.keys() and any(wanted.values()):
        values = read_known(ex, wanted)
        return {i: Facts(known[i].space_name, known[i].guard, values[i]) for i in wanted}
    return read_facts(ex, wanted)


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
