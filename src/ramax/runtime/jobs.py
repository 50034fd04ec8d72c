"""What callers hand to the writer: commands and raw appends, each wholly or not at all."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ramax.core.domain import Command, Domain
from ramax.core.event_row import EventRow
from ramax.core.expectation import Expectation, Log, check_head
from ramax.core.fold import check_fit
from ramax.core.new_events import Causes
from ramax.core.sync.record import EventRecord
from ramax.core.sync.runs import Newest
from ramax.core.unit import SpaceUnit
from ramax.values import Commit, NewEvent

Groups = list[tuple[EventRow, ...]]


class StateBehindError(Exception):
    """The pstate, or an inline projection, lacks events; the runtime folds them and asks again."""


class WholeLog(Log, Protocol):
    """What is stored of a space, and where its events came from."""

    def newest(self) -> Mapping[bytes, Newest]:
        """Return the newest event of every origin; empty where the space is not replicated."""
        ...

    def record_at(self, origin: bytes, origin_seq: int) -> EventRecord | None:
        """Return an event of an origin as replicas exchange it, or None."""
        ...

    def ids_of(self, uids: Collection[bytes]) -> Mapping[bytes, int]:
        """Return the ids of those events that replicas know by uids, by uid."""
        ...


class Work(Protocol):
    """What a caller wants done in one space."""

    def run(self, unit: SpaceUnit, log: WholeLog, now: int) -> Groups:
        """Decide; whatever is raised leaves the unit as it was. It may be asked again."""
        ...


@dataclass(slots=True, eq=False)
class Execute:
    """Commands of one domain, decided one after another as one unit."""

    domain: Domain
    commands: Sequence[tuple[Command, Any]]
    causes: Causes
    expected_sequence: int | None = None
    expectation: Expectation | None = None

    def run(self, unit: SpaceUnit, log: Log, now: int) -> Groups:
        """Decide and fold; whatever is raised leaves the unit as it was."""
        if self.expected_sequence is not None:
            check_head(unit, self.expected_sequence)
        if self.expectation is not None:
            self.expectation.check(unit, log)
        if unit.folded != unit.head:
            raise StateBehindError
        inline = self.domain.projections.inline_names
        if inline and unit.lags(inline, log.standing_at):
            raise StateBehindError
        names = unit.domains
        if not self.domain.own:  # data types fold whatever the domain: nothing to remember
            names = check_fit(self.domain, names, unit.folded, unit.space_name, log.types_up_to)
        if len(self.commands) == 1:
            command, params = self.commands[0]
            groups = [unit.execute(self.domain, command, params, self.causes, now)]
        else:
            groups = unit.execute_many(self.domain, self.commands, self.causes, now)
        if any(groups):
            unit.domains = names
            unit.state.keep_index(self.domain.schema)
        return groups


@dataclass(slots=True, eq=False)
class Append:
    """Facts to be added as they are."""

    domain: Domain | None
    new_events: Sequence[NewEvent]
    causes: Causes
    expected_sequence: int | None = None
    expectation: Expectation | None = None

    def run(self, unit: SpaceUnit, log: Log, now: int) -> Groups:
        """Check and pack; whatever is raised leaves the unit as it was."""
        if self.expected_sequence is not None:
            check_head(unit, self.expected_sequence)
        if self.expectation is not None:
            self.expectation.check(unit, log)
        return [unit.append(self.domain, self.new_events, self.causes, now)]


@dataclass(eq=False, slots=True)
class Job:
    """One waiting caller: its work, and the future that answers it."""

    space_id: int
    space_name: str
    work: Work
    future: "asyncio.Future[list[Commit]]"
    idempotency_key: str | None = None
    fingerprint: bytes = b""
    attempts: int = 0
    deadline: float = field(default=0.0)

    def answer(self, commits: list[Commit]) -> None:
        """Give the caller its result, unless it has left."""
        if not self.future.done():
            self.future.set_result(commits)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error, unless it has left."""
        if not self.future.done():
            self.future.set_exception(error)
