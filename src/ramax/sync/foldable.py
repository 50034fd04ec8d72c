"""Whether what came to a space can be folded by whoever brought it, without the application."""

from ramax.core.domain import OWN_TYPES
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor
from ramax.storage.records import read_types
from ramax.values import Space


class Foldable:
    """Remembers up to where a log has events of the data types alone: logs only grow."""

    def __init__(self) -> None:
        self._space_id = self._looked_at = 0
        self._foreign = False

    def without_domain(self, ex: Executor, space: Space) -> bool:
        """Say whether the pstate lacks something that the data types can fold."""
        guard = facts_of(ex, space).guard
        if guard.checkpoint == guard.last_sequence:
            return False
        if self._space_id != space.space_id:
            self._space_id, self._looked_at, self._foreign = space.space_id, 0, False
        last = guard.last_sequence
        if not self._foreign and last > self._looked_at:
            types = read_types(ex, space.space_id, self._looked_at + 1, last)
            self._foreign = not all(each.startswith(OWN_TYPES) for each in types)
            self._looked_at = last
        return not self._foreign
