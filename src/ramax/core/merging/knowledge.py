"""What a space holds of its own events and of those of others: from where, and up to where.

Every event has one origin: the space and sequence at which it was first recorded. A space holds
its own events, those that it took over when it was forked, and copies that were merged into it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Origin(NamedTuple):
    """Where an event was first recorded."""

    space_id: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Which origins a space holds, or has decided about.

    ``upto``: by space, everything up to a sequence of its log, and so all that was merged into it
    by then. ``also``: single ones above that, which a promotion of some entities took over.
    """

    upto: Mapping[int, int] = field(default_factory=dict)
    also: Collection[Origin] = frozenset()

    def knows(self, origin: Origin) -> bool:
        """Say whether an event of that origin is held, or decided about."""
        return origin.sequence <= self.upto.get(origin.space_id, 0) or origin in self.also

    def beyond(self, other: "Knowledge") -> dict[int, int]:
        """Return up to where this knows spaces further than the other does."""
        return {
            space_id: upto
            for space_id, upto in self.upto.items()
            if upto > other.upto.get(space_id, 0)
        }
