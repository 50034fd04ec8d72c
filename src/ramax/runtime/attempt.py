"""One try at a batch: its jobs, what was known when it began, and what came of it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ramax.core.event_row import as_commit
from ramax.core.unit import SpaceUnit
from ramax.errors import MisuseError
from ramax.runtime.cache import Known
from ramax.runtime.jobs import Groups, Job
from ramax.storage.plan import EventIds, WritePlan
from ramax.values import Commit

COMMANDS_OWN = (Exception, asyncio.CancelledError, GeneratorExit)
"""What fails a command alone. The last two would look as if somebody had cancelled the writer."""


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

    def fail(self, error: BaseException) -> None:
        """Note what a command raised: one of `COMMANDS_OWN`."""
        if not isinstance(error, Exception):
            misuse = f"a command raised {type(error).__name__}; raise an Exception instead"
            self.error = MisuseError(misuse)
            self.error.__cause__ = error
        else:
            self.error = error

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


def commits_of(
    space_id: int, groups: Groups, event_ids: EventIds, head: int, *, replayed: bool = False
) -> list[Commit]:
    """Make the answers of a job; a command without events stands at the head before it."""
    commits = []
    for rows in groups:
        head = rows[-1].sequence if rows else head
        commits.append(as_commit(space_id, rows, event_ids, head, replayed=replayed))
    return commits
