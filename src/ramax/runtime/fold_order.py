"""Reading the events of a space in the order in which they fold, page by page."""

from collections.abc import Sequence

from ramax.core.sync.place import FoldPlace
from ramax.storage.canonical import CanonicalPages
from ramax.storage.events import FOREVER, read_page
from ramax.storage.executors import Executor, Row


class FoldOrder:
    """The order of the log; in a replicated space, that of the stamps of all replicas.

    There an event has its stamp for a sequence, so that applicators see the same on every replica.
    How many there are before it holds for one upper bound only: who moves that begins again.
    """

    def __init__(self, space_id: int, *, replicated: bool) -> None:
        self._space_id, self.replicated = space_id, replicated
        self._pages = CanonicalPages(space_id)
        self.sequence = self.upcoming = 0
        """Of the newest event that was folded, and that was read; or how many these are."""

    def go_on_from(self, sequence: int) -> None:
        """Begin after a sequence of the log."""
        self.sequence = sequence

    def go_on_after(self, place: FoldPlace) -> None:
        """Begin after a place of the order of all replicas."""
        self._pages.go_on_after(place)
        self.sequence = self.upcoming = place.events

    @property
    def place(self) -> FoldPlace:
        """What was folded of a replicated space."""
        return self._pages.place

    def next_page(self, ex: Executor, limit: int, upto: int = FOREVER) -> Sequence[Row]:
        """Read the next rows of events with sequence <= upto; again, until they were `folded`."""
        if not self.replicated:
            rows = read_page(ex, self._space_id, after=self.sequence, upto=upto, limit=limit)
            self.upcoming = rows[-1][2] if rows else self.sequence
            return rows
        rows = self._pages.next_page(ex, limit, upto)
        self.upcoming = self.sequence + len(rows)
        return rows

    @property
    def outdated(self) -> bool:
        """Whether events were folded that are to be left out, as it was learnt later."""
        return self._pages.outdated

    @property
    def looked(self) -> bool:
        """Whether the page that was read last began with a look at how far the log is."""
        return self._pages.looked

    def folded(self) -> None:
        """Go on after the page that was read last."""
        self.sequence = self.upcoming
        self._pages.taken()
