"""What one unit of work adds to one space, as a value that storage writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramax.core.entity import Link
from ramax.core.event_row import EventRow
from ramax.core.guard import Guard, guard_of
from ramax.core.sync.runs import Run


@dataclass(slots=True)
class SpaceWrite:
    """What one unit of work adds to one space; every list may be empty."""

    space_id: int
    guard: Guard
    events: Sequence[EventRow] = ()
    puts: Mapping[str, bytes] = field(default_factory=dict)
    deletes: Sequence[str] = ()
    last_timestamp: int = 0
    checkpoint: int | None = None
    checkpoint_event_id: int = 0  # for a checkpoint that moves without events of its own
    domains: frozenset[str] | None = None
    version_step: int = 0
    hashes: list[bytes] = field(default_factory=list)
    runs: Sequence[Run] = ()
    """That begin among the events of a replicated space."""

    causes: Mapping[int, int] = field(default_factory=dict)
    """Events of other replicas whose cause comes with them; both by sequence."""

    replica: bytes | None = None
    links: dict[str, frozenset[Link]] = field(default_factory=dict)
    index_lost: bool = False
    in_step: frozenset[str] | None = None
    projected: Sequence[Any] = ()
    """Statements of inline projections, bound, in order."""

    positions: Mapping[str, int] = field(default_factory=dict)
    """Where inline projections are after them, by name."""

    @property
    def head_hash(self) -> bytes | None:
        """The newest hash after this write; None without a hash chain."""
        return self.hashes[-1] if self.hashes else self.guard.head_hash

    @property
    def last_sequence(self) -> int:
        """The sequence of the space after this write."""
        return self.guard.last_sequence + len(self.events)

    @property
    def after(self) -> Guard:
        """The guard of the space after this write."""
        guard = self.guard
        return guard_of(
            (
                guard.last_sequence + len(self.events),
                guard.state_version + self.version_step,
                max(self.last_timestamp, guard.last_timestamp),
                guard.checkpoint if self.checkpoint is None else self.checkpoint,
                guard.domains if self.domains is None else self.domains,
                self.head_hash,
                None if self.index_lost else guard.indexed,
                guard.searched,
                self.in_step,
                self.replica or guard.replica,
            )
        )
