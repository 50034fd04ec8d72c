"""The fold of a space up to a sequence in its past, beside what is stored."""

from collections.abc import Iterator

from ramax.core.domain import Domain
from ramax.core.fold import check_fit
from ramax.core.state import Packed
from ramax.errors import StorageError
from ramax.runtime.catchup import facts_of, fold_rows
from ramax.runtime.refold import Folded
from ramax.storage.events import read_page
from ramax.storage.executors import Executor
from ramax.storage.reads import read_event_types
from ramax.storage.spill import Spill
from ramax.values import Space


class PastFold:
    """Folds page by page; each method runs in one unit of work, one at a time.

    Args:
        page: Events that are in memory at once.
        values: Empty; what the fold comes to is kept there.
    """

    def __init__(self, domain: Domain, space: Space, page: int, values: Spill) -> None:
        self._domain, self._space, self._page, self._values = domain, space, page, values
        self.sequence = 0

    def begin(self, ex: Executor) -> None:
        """Check that the domain is the one whose fold the space is.

        Raises:
            DomainMismatchError: It is not.
            SpaceNotFoundError: The space is gone.
        """
        guard = facts_of(ex, self._space).guard
        check_fit(
            self._domain,
            guard.domains,
            guard.checkpoint,
            self._space.space_name,
            lambda upto: read_event_types(ex, self._space.space_id, upto),
        )

    def fold_page(self, ex: Executor, upto: int) -> bool:
        """Fold the next events up to and including ``upto``; say whether there are more.

        Raises:
            FoldError: An applicator failed.
            StorageError: The log ends before ``upto``, or has a hole.
            SpaceNotFoundError: The space was deleted meanwhile.
        """
        rows = read_page(ex, self._space.space_id, after=self.sequence, upto=upto, limit=self._page)
        if not rows or rows[-1][2] != self.sequence + len(rows):
            facts_of(ex, self._space)  # perhaps the whole space is gone
            raise StorageError(
                f"events of space {self._space.space_name!r} after {self.sequence} are missing; "
                "run `ramax verify`"
            )
        state = fold_rows(self._domain, Folded(self._values), rows, self._space)
        self._values.update(state.written)
        self.sequence = rows[-1][2]
        return self.sequence < upto

    # -- what it came to -------------------------------------------------------------------------

    def load(self, key: str) -> Packed | None:
        """Return the packed value of a key, or None."""
        return self._values.load(key)

    def scan(self, prefix: str, after: str) -> Iterator[tuple[str, Packed]]:
        """Yield keys above ``after`` that begin with ``prefix``, in key order."""
        if prefix > after:
            value = self._values.load(prefix)
            if value is not None:
                yield prefix, value
            after = prefix
        for key, value in self._values.walk(after):
            if not key.startswith(prefix):
                return
            yield key, value
