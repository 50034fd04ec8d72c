"""A unit of work on one space: decides commands in memory and gathers what is to be written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ramax.core.domain import Command, Domain
from ramax.core.event_row import EventRow, as_applied
from ramax.core.folding import apply_command
from ramax.core.guard import Guard
from ramax.core.mapping import ReadState
from ramax.core.new_events import Causes, checked_events, encode_event
from ramax.core.projections import Projection
from ramax.core.space_write import SpaceWrite
from ramax.core.state import Packed, Source, SpaceState
from ramax.core.sync.placing import Placing, numbered
from ramax.core.sync.runs import Place
from ramax.values import Event, NewEvent

Project = Callable[[int, str, Projection, Iterable[Event]], Sequence[Any]]
"""Makes bound statements of what a projection makes of events of a space, by id and name."""


class SpaceUnit:
    """Runs commands of one space one after another; each contributes wholly or not at all."""

    __slots__ = (
        "domains",
        "folded",
        "guard",
        "in_step",
        "placing",
        "positions",
        "project",
        "projected",
        "rows",
        "space_id",
        "space_name",
        "state",
        "timestamp",
        "touched",
    )

    def __init__(
        self,
        space_id: int,
        space_name: str,
        guard: Guard,
        source: Source,
        known: dict[str, Packed | None] | None = None,
    ) -> None:
        self.space_id, self.space_name, self.guard = space_id, space_name, guard
        self.state = SpaceState(source, known)
        self.state.index = guard.indexed
        self.rows: list[EventRow] = []
        self.timestamp = guard.last_timestamp
        self.folded = guard.checkpoint
        self.domains = guard.domains
        self.touched = False
        self.in_step = guard.in_step
        self.project: Project | None = None
        self.projected: list[Any] = []
        self.positions: dict[str, int] = {}
        self.placing = None if guard.replica is None else Placing(guard.replica)

    @property
    def head(self) -> int:
        """The sequence of the newest event, this unit's own included."""
        return self.guard.last_sequence + len(self.rows)

    def execute(
        self, domain: Domain, command: Command, params: Any, causes: Causes, now: int
    ) -> tuple[EventRow, ...]:
        """Decide one command and fold its events.

        Raises:
            Exception: Whatever the command or an applicator raised; nothing of it stays.
        """
        before = self.timestamp
        try:
            result = command(ReadState(self.state, domain.schema, domain.prefix), params)
            new_events = checked_events(result, command)
            rows = self._new_rows(domain, new_events, causes, now)
            seen = rows
            if self.placing is not None and rows:
                seen = numbered(rows, self.placing.own(rows))
            self._fold(domain, seen)
            if self.state.failure is not None:  # the domain caught what was not for it
                raise self.state.failure  # noqa: TRY301 - undone like any other failure
            projected = self._projected(domain, seen)
        except BaseException:
            self.timestamp = before
            self.state.discard()
            if self.placing is not None:
                self.placing.forget_beyond(self.head)
            raise
        self.state.keep()
        self.rows += rows
        self.folded = self.guard.last_sequence + len(self.rows)
        if rows and (self.in_step or domain.projections.inline):
            self._step(domain, projected)
        return tuple(rows)

    def _projected(self, domain: Domain, rows: Sequence[EventRow]) -> Sequence[Any]:
        """Make what inline projections write of events; each sees values of its own."""
        inline = domain.projections.inline
        if not inline or self.project is None or not rows:
            return ()
        bound: list[Any] = []
        for projection in inline:
            events: Iterable[Event] = map(as_applied, rows)
            if domain.has_versions:
                events = domain.upcast(events, self.space_name)
            bound += self.project(self.space_id, self.space_name, projection, events)
        return bound

    def _step(self, domain: Domain, projected: Sequence[Any]) -> None:
        """Take along the projections of the domain; those of others stay behind.

        Events of ramax's own data types are nothing to any projection.
        """
        self.projected += projected
        if not domain.own:
            self.in_step = domain.projections.inline_names
        for name in self.in_step or ():
            self.positions[name] = self.folded

    def lags(self, names: frozenset[str], standing_at: Callable[[int], frozenset[str]]) -> bool:
        """Say whether one of these projections is not where the pstate is.

        Args:
            standing_at: Asked, where it is not known, which checkpoints are at a sequence.
        """
        if not self.folded:
            self.in_step = names | (self.in_step or frozenset())
        elif self.in_step is None or not names <= self.in_step:
            self.in_step = (self.in_step or frozenset()) | (standing_at(self.folded) & names)
        return not names <= self.in_step

    def execute_many(
        self, domain: Domain, commands: Iterable[tuple[Command, Any]], causes: Causes, now: int
    ) -> list[tuple[EventRow, ...]]:
        """Decide commands one after another, each on what the one before left; all or none."""
        state = self.state
        before = len(self.rows), self.timestamp, self.folded
        written, links = dict(state.written), dict(state.links)
        projected, in_step, positions = len(self.projected), self.in_step, dict(self.positions)
        try:
            return [self.execute(domain, c, params, causes, now) for c, params in commands]
        except BaseException:
            count, self.timestamp, self.folded = before
            state.written, state.links = written, links
            del self.rows[count:], self.projected[projected:]
            self.in_step, self.positions = in_step, positions
            if self.placing is not None:
                self.placing.forget_beyond(self.head)
            raise

    def append(
        self, domain: Domain | None, new_events: Iterable[NewEvent], causes: Causes, now: int
    ) -> tuple[EventRow, ...]:
        """Add facts as they are; the pstate, and with it the checkpoint, stays behind."""
        rows = self._new_rows(domain, checked_events(new_events, "append"), causes, now)
        if rows:
            self.timestamp = rows[-1].micros
            if self.placing is not None:
                self.placing.own(rows)
        self.rows += rows
        return tuple(rows)

    def receive(
        self, events: Sequence[tuple[EventRow, Place]], causes: Mapping[int, int]
    ) -> tuple[EventRow, ...]:
        """Add events of other replicas as they are; the pstate stays behind.

        Their times do not move the clock of the space: another replica's may be wrong.

        Args:
            causes: Of which of these events another one is the cause, by sequence.
        """
        assert self.placing is not None
        self.placing.received(events, causes)
        rows = [row for row, _ in events]
        self.rows += rows
        return tuple(rows)

    def _new_rows(
        self, domain: Domain | None, new_events: Sequence[NewEvent], causes: Causes, now: int
    ) -> list[EventRow]:
        stamp = max(self.timestamp, now)  # a clock that goes back must not show
        first = self.guard.last_sequence + len(self.rows) + 1
        return [
            encode_event(domain, new, causes, sequence, stamp)
            for sequence, new in enumerate(new_events, first)
        ]

    def _fold(self, domain: Domain, rows: Sequence[EventRow]) -> None:
        if rows:
            self.timestamp = rows[-1].micros
            events: Iterable[Event] = map(as_applied, rows)
            if domain.has_versions:
                events = domain.upcast(events, self.space_name)
            apply_command(domain, self.state, events)

    @property
    def values(self) -> dict[str, Packed | None]:
        """What is known of keys once this unit is written."""
        return {**self.state.known, **self.state.written}

    def write(self) -> SpaceWrite | None:
        """Return what is to be written, or None if nothing is."""
        written = self.state.written
        if not (self.rows or written or self.touched):
            return None
        puts, deletes = self.state.changes()
        write = SpaceWrite(
            self.space_id,
            self.guard,
            self.rows,
            puts,
            deletes,
            self.timestamp,
            self.folded if self.folded != self.guard.checkpoint else None,
            domains=self.domains if self.domains != self.guard.domains else None,
            links=self.state.links,
            index_lost=self.state.index != self.guard.indexed,
            in_step=self.in_step,
            projected=self.projected,
            positions=self.positions,
        )
        if (placing := self.placing) is not None:
            write.runs, write.causes = placing.runs, placing.causes
            write.replica = placing.head.pack()
        return write
