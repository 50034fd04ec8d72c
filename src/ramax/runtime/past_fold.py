"""The fold of a space up to a sequence in its past, beside what is stored."""

from collections.abc import Iterator

from ramax.core.domain import Domain
from ramax.core.fold import check_fit
from ramax.core.keys import key_range
from ramax.core.state import Packed
from ramax.errors import StorageError
from ramax.runtime.catchup import check_all_there
from ramax.runtime.fold_order import FoldOrder
from ramax.runtime.page_fold import facts_of, fold_rows
from ramax.runtime.refold import Folded
from ramax.storage.executors import Executor
from ramax.storage.lineage import base_of
from ramax.storage.reads import read_event_types
from ramax.storage.snapshots import Fold, Stored, read_chunk, read_newest
from ramax.storage.spill import Spill
from ramax.values import Space


class PastFold:
    """Folds page by page; each method runs in one unit of work, one at a time.

    Args:
        page: Events that are in memory at once.
        values: Empty; what the fold comes to is kept there.
    """

    def __init__(self, domain: Domain, space: Space, page: int, values: Spill) -> None:
        self._domain, self.space, self._page, self._values = domain, space, page, values
        self._whose = Fold.of(domain.fold_versions) if domain.fold_versions else None
        self._order = FoldOrder(space.space_id, replicated=False)
        self.sequence = 0
        self.latest = 0  # the latest time of an event up to there

    def begin(self, ex: Executor) -> None:
        """Check that the domain is the one whose fold the space is.

        Raises:
            DomainMismatchError: It is not.
            SpaceNotFoundError: The space is gone.
        """
        guard = facts_of(ex, self.space).guard
        self._order = FoldOrder(self.space.space_id, replicated=guard.replica is not None)
        if guard.checkpoint < base_of(ex, self.space.space_id):
            check_all_there(self._domain, guard, self.space.space_name)
        check_fit(
            self._domain,
            guard.domains,
            guard.checkpoint,
            self.space.space_name,
            lambda upto: read_event_types(ex, self.space.space_id, upto),
        )

    def find_snapshot(self, ex: Executor, upto: int) -> Stored | None:
        """Find the newest snapshot of this domain's fold up to a sequence."""
        if self._whose is None or self._order.replicated:  # snapshots fold in the log's order
            return None
        return read_newest(ex, self.space.space_id, self._whose, upto=upto)

    def load_chunk(self, ex: Executor, snapshot: Stored, chunk: int) -> bool:
        """Take a chunk of a snapshot; say whether it was there."""
        assert self._whose is not None
        found = read_chunk(ex, self.space.space_id, snapshot.sequence, self._whose, chunk)
        self._values.update(found or {})
        return found is not None

    def go_on_from(self, snapshot: Stored) -> None:
        """Fold on from a snapshot all of whose chunks were loaded."""
        self.sequence, self.latest = snapshot.sequence, snapshot.latest
        self._order.go_on_from(snapshot.sequence)

    def fold_page(self, ex: Executor, upto: int) -> bool:
        """Fold the next events up to and including ``upto``; say whether there are more.

        Raises:
            FoldError: An applicator failed.
            StorageError: The log ends before ``upto``, or has a hole.
            SpaceNotFoundError: The space was deleted meanwhile.
        """
        rows = self._order.next_page(ex, self._page, upto)
        if not rows or self._order.upcoming != self.sequence + len(rows):
            facts_of(ex, self.space)  # perhaps the whole space is gone
            raise StorageError(
                f"events of space {self.space.space_name!r} after {self.sequence} are missing; "
                "run `ramax verify`"
            )
        state = fold_rows(self._domain, Folded(self._values), rows, self.space)
        self._values.update(state.written)
        self._order.folded()
        self.sequence = self._order.sequence
        self.latest = max(self.latest, *(row[7] for row in rows))
        return self.sequence < upto

    # -- what it came to -------------------------------------------------------------------------

    def load(self, key: str) -> Packed | None:
        """Return the packed value of a key, or None."""
        return self._values.load(key)

    def walk(self) -> Iterator[tuple[str, bytes]]:
        """Yield every key with its packed value, in key order."""
        return self._values.walk()

    def scan(self, prefix: str, after: str) -> Iterator[tuple[str, Packed]]:
        """Yield keys above ``after`` that begin with ``prefix``, in key order.

        The empty prefix is that of every key of the application.
        """
        return self.between(*key_range(prefix), after)

    def between(self, low: str, high: str, after: str) -> Iterator[tuple[str, Packed]]:
        """Yield keys with low <= key < high, and above ``after``, in key order."""
        if low > after:
            value = self._values.load(low)
            if value is not None:
                yield low, value
            after = low
        for key, value in self._values.walk(after):
            if key >= high:
                return
            yield key, value
