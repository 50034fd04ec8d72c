"""The new pstate of a rebuild: folded page by page, compared with the stored one, swapped in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from ramax.core.domain import Domain
from ramax.core.guard import Guard
from ramax.core.space_write import SpaceWrite
from ramax.core.state import End, Packed
from ramax.runtime.comparison import MAYBE, NEW, Comparison
from ramax.runtime.fold_order import FoldOrder
from ramax.runtime.link_index import IndexBuild
from ramax.runtime.page_fold import facts_of, fold_rows
from ramax.runtime.trail import Trail
from ramax.storage import canonical_snapshots, pstate, snapshots, text_index
from ramax.storage.backend import write_plan
from ramax.storage.executors import Executor, Row
from ramax.storage.links import set_indexed
from ramax.storage.locks import take_lock
from ramax.storage.plan import WritePlan
from ramax.storage.reads import uncatchable
from ramax.storage.rebuild import add, read_changed_since, read_key_count, read_stored, replace
from ramax.storage.spaces import domains_row
from ramax.storage.spill import Spill
from ramax.values import Space

T = TypeVar("T")

_TRIES = 3
"""How often to begin again beside writers whose events belong before others; then under the lock.
"""


class StaleError(Exception):
    """The comparison does not describe the stored pstate any more."""


class Refold:
    """Folds the history of a space from its beginning, beside what is stored.

    Each method runs in one unit of work, whichever the connection; one at a time.

    Args:
        page: Events, and stored keys, that are in memory at once.
        memory: Bytes that the new pstate may take in memory; the rest goes to a temporary file.
        trail: Leaves snapshots for events that come late.
    """

    def __init__(
        self, domain: Domain, space: Space, page: int, memory: int, trail: Trail | None = None
    ) -> None:
        self._trail = trail
        self._domain, self._space, self._page = domain, space, page
        self._values = Spill(memory)
        self._suspects = Spill(memory // 8)  # keys that may have to be written
        self._comparison: Comparison | None = None
        self._order: FoldOrder | None = None
        self.sequence = self._event_id = 0
        self._upto = 0
        self._patience = _TRIES

    def close(self) -> None:
        """Free memory and temporary files."""
        self._values.close()
        self._suspects.close()

    def fold_page(self, ex: Executor) -> bool:
        """Fold the next events; say whether there may be more.

        Raises:
            FoldError: An applicator failed.
        """
        if self._order is None:
            replicated = self.guard(ex).replica is not None
            self._order = FoldOrder(self._space.space_id, replicated=replicated)
        head = self.guard(ex).last_sequence if self._order.replicated else 0
        limit = self._page if self._trail is None else self._trail.limit(self.sequence, self._page)
        rows = self._order.next_page(ex, limit)
        if rows:
            self._fold(self._order, rows)
        full = len(rows) == limit
        return self._goes_on(self._order, head, full=full) if self._order.replicated else full

    def _fold(self, order: FoldOrder, rows: Sequence[Row]) -> None:
        state = fold_rows(self._domain, Folded(self._values), rows, self._space)
        self._values.update(state.written)
        order.folded()
        if self._trail is not None:
            self._trail.folded(state.written, order.place)
        if self._comparison is not None:
            self._suspect(state.written)
        self.sequence = order.sequence
        self._event_id = max(self._event_id, *(row[0] for row in rows))

    def _goes_on(self, order: FoldOrder, head: int, *, full: bool) -> bool:
        """Say whether there may be more; begin again where some came that belong before others.

        Args:
            head: Of the log, before the page was read: what came since then is left for later, or
                there would be no end beside somebody who writes all the time.
        """
        if order.looked:
            self._upto = head
        if self.sequence >= head and not order.outdated:
            return False
        missed = self.sequence < self._upto or order.outdated
        if full or not missed:
            return True
        if not self._patience:
            return False
        self._patience -= 1
        self._values.close()
        self._order = self._comparison = self._trail = None
        self.sequence = self._event_id = 0
        return True

    def guard(self, ex: Executor) -> Guard:
        """Read the guard of the space; raise SpaceNotFoundError where it is gone."""
        return facts_of(ex, self._space).guard

    def begin_comparison(self) -> None:
        """Forget what was found; from here on every key that is folded is a suspect."""
        self._suspects.close()
        self._comparison = Comparison(self._values.walk())

    def compare_page(self, ex: Executor) -> bool:
        """Find the next keys that differ from what is stored; say whether there is more."""
        comparison = self._comparison
        assert comparison is not None
        rows = read_stored(ex, self._space.space_id, after=comparison.after, limit=self._page)
        more = len(rows) == self._page
        for found in _batches(comparison.differing(rows, more=more), self._page):
            self._suspects.update(dict(found))
        return more

    def swap(self, ex: Executor, compared: Guard | None, now: int) -> None:
        """Under the lock: fold the rest and write what differs.

        Args:
            compared: The guard before the comparison; None compares now.

        Raises:
            StaleError: Others replaced the stored pstate since ``compared``.
        """
        space_id = self._space.space_id
        take_lock(ex, space_id, self._space.space_name)
        guard = self.guard(ex)
        if compared is not None and guard.state_version != compared.state_version:
            raise StaleError
        self._patience = 1  # nobody else can write now
        while self.fold_page(ex):
            pass
        if compared is None or self._comparison is None:
            self.begin_comparison()
            while self.compare_page(ex):
                pass
        elif guard.last_sequence != compared.last_sequence:
            # what the live applicators wrote since, should they be of another version than these
            for keys in read_changed_since(ex, space_id, compared.last_timestamp, self._page):
                self._suspect(keys)
        self._index(ex, guard)
        self._index_texts(ex, guard)
        self._write(ex, guard, max(now, guard.last_timestamp))
        if compared is not None and read_key_count(ex, space_id) != len(self._values):
            raise StaleError  # a key went meanwhile that only other applicators would delete

    def _index(self, ex: Executor, guard: Guard) -> None:
        """Make the index of references that of the new state, or give it up with it."""
        schema = self._domain.schema
        if schema.index is None:
            if guard.indexed is not None:
                set_indexed(ex, self._space.space_id, None)
            return
        build = IndexBuild(ex, self._space, schema)
        for values in _batches(self._values.walk(), self._page):
            build.add(values)
        build.end()

    def _index_texts(self, ex: Executor, guard: Guard) -> None:
        """Make the index of texts anew, all of it: perhaps that is what the rebuild is for."""
        if guard.searched is not None:
            text_index.begin(ex, self._space.space_id)
            for values in _batches(self._values.walk(), self._page):
                text_index.index_now(ex, self._space.space_id, guard.searched, dict(values))

    def _suspect(self, keys: Iterable[str]) -> None:
        self._suspects.update(dict.fromkeys(keys, MAYBE))

    def _write(self, ex: Executor, guard: Guard, stamp: int) -> None:
        space_id = self._space.space_id
        write = SpaceWrite(
            space_id,
            guard,
            last_timestamp=stamp + 1,  # above these rows: the next rebuild tells them from newer
            checkpoint=self.sequence,
            checkpoint_event_id=self._event_id,
            version_step=guard.step_to_replacement,
        )
        names = self._domain.names
        extras = [] if names == guard.domains else [domains_row(space_id, names)]
        write_plan(ex, WritePlan([write], b"", stamp, extras))
        snapshots.drop(ex, space_id)  # whoever rebuilds does not trust what was folded before
        canonical_snapshots.drop_canonical_from(ex, space_id)
        if self._trail is not None and self.sequence == guard.last_sequence:
            self._trail.store(ex, space_id)
        new = ((k, v) for k, v in self._found(NEW) if v is not None)
        add(ex, space_id, new, now=stamp)
        for found in _batches(self._found(MAYBE), self._page):
            replace(ex, space_id, [(k, v) for k, v in found if v is not None], now=stamp)
            pstate.delete(ex, space_id, [k for k, v in found if v is None])

    def _found(self, mark: bytes) -> Iterator[tuple[str, bytes | None]]:
        """Yield the suspects of one kind with their new values."""
        load = self._values.load
        return ((key, load(key)) for key, found in self._suspects.walk() if found == mark)


class Folded:
    """What earlier pages came to, as a source; a failure is not for the domain to catch."""

    def __init__(self, values: Spill) -> None:
        self._values = values

    def load(self, key: str) -> Packed | None:
        """See `Source.load`."""
        return uncatchable(self._values.load, key)

    def load_range(self, low: str, high: str) -> Mapping[str, Packed]:
        """See `Source.load_range`."""
        return uncatchable(self._values.load_range, low, high)

    def load_nearest(self, low: str, high: str, end: End) -> str | None:
        """See `Source.load_nearest`."""
        return uncatchable(self._values.load_nearest, low, high, end)


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch
