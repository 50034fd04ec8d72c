"""Reading the events of a space in the order in which they fold, page by page."""

from collections.abc import Sequence

from ramax.storage.events import FOREVER, read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.origins import BEGINNING, read_canonical_page


class FoldOrder:
    """The order of the log; in a replicated space, that of the stamps of all replicas.

    There an event has its stamp for a sequence, so that applicators see the same on every replica.
    How many there are before it holds for one upper bound only: who moves that begins again.
    """

    def __init__(self, space_id: int, *, replicated: bool) -> None:
        self._space_id, self.replicated = space_id, replicated
        self._place = self._next_place = BEGINNING
        self.sequence = self.upcoming = 0
        """Of the newest event that was folded, and that was read; or how many these are."""

    def go_on_from(self, sequence: int) -> None:
        """Begin after a sequence of the log."""
        self.sequence = sequence

    def next_page(self, ex: Executor, limit: int, upto: int = FOREVER) -> Sequence[Row]:
        """Read the next rows of events with sequence <= upto; again, until they were `folded`."""
        if not self.replicated:
            rows = read_page(ex, self._space_id, after=self.sequence, upto=upto, limit=limit)
            self.upcoming = rows[-1][2] if rows else self.sequence
            return rows
        found = read_canonical_page(ex, self._space_id, after=self._place, upto=upto, limit=limit)
        if found:
            stamp, origin, origin_seq = found[-1][-3:]
            self._next_place = (stamp, bytes(origin), origin_seq)
        self.upcoming = self.sequence + len(found)
        return [(*row[:2], row[-3], *row[3:-3]) for row in found]

    def folded(self) -> None:
        """Go on after the page that was read last."""
        self.sequence, self._place = self.upcoming, self._next_place
