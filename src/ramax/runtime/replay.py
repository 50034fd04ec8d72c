"""Folding again what follows the newest snapshot before a late event, beside what is stored."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice

from ramax.core.decoding import links_in
from ramax.core.domain import Domain
from ramax.core.guard import Guard
from ramax.core.space_write import SpaceWrite
from ramax.runtime.fold_order import FoldOrder
from ramax.runtime.page_fold import facts_of, fold_rows
from ramax.runtime.snapshot_state import Chunks, Over, SnapshotGoneError, SnapshotState, keys_in
from ramax.runtime.trail import Trail
from ramax.storage import pstate, text_index
from ramax.storage.backend import write_plan
from ramax.storage.canonical_snapshots import CanonicalSnapshot, drop_canonical_from
from ramax.storage.executors import Executor, Row
from ramax.storage.links import replace_links, set_indexed
from ramax.storage.plan import WritePlan
from ramax.storage.reads import read_values
from ramax.storage.rebuild import replace
from ramax.storage.records import read_discarded
from ramax.storage.spaces import domains_row
from ramax.values import Space

Changes = Mapping[str, bytes | None]
"""New packed values by key; None for one that went."""


class Replay:
    """Two folds over snapshots: of what was folded before, and of all.

    The one goes on from the newest snapshot, the other from the newest one that is true. What they
    have written, or what snapshots between hold, may differ from what is stored.

    Each method runs in one unit of work, whichever the connection; one at a time.
    """

    def __init__(  # noqa: PLR0917 - what a fold takes
        self,
        domain: Domain,
        space: Space,
        page: int,
        memory: int,
        snapshots: Sequence[CanonicalSnapshot],
        begun: Guard,
        late: int,
        trail: Trail,
    ) -> None:
        self._domain, self._space, self._page, self._late = domain, space, page, late
        self._begun, self._trail = begun, trail
        self._chunks = Chunks(space.space_id)
        true = [each for each in snapshots if each.place.last[0] < late]
        self._untrue = snapshots[len(true) :]
        self._old, self._old_order = self._after(snapshots, memory // 2)
        self._new, self._order = self._after(true, memory // 2)
        self.sequence = self._order.sequence
        self._event_id = self._upto = 0
        self._is_old_folded = False

    def _after(self, snapshots: Sequence[CanonicalSnapshot], memory: int) -> tuple[Over, FoldOrder]:
        order = FoldOrder(self._space.space_id, replicated=True)
        order.go_on_after(snapshots[-1].place)
        return Over(SnapshotState(snapshots, self._chunks), memory), order

    def close(self) -> None:
        """Free memory and temporary files."""
        self._old.close()
        self._new.close()

    def fold_page(self, ex: Executor) -> bool:
        """Fold the next events; say whether there may be more.

        Raises:
            FoldError: An applicator failed.
            SnapshotGoneError: An event came meanwhile that belongs before some of these.
        """
        self._chunks.ex = ex
        if not self._is_old_folded:
            return self._fold_old(ex)
        head = facts_of(ex, self._space).guard.last_sequence  # before the page, as in a `Refold`
        limit = self._trail.limit(self.sequence, self._page)
        rows = self._order.next_page(ex, limit)
        if rows:
            self._trail.folded(self._fold(self._new, self._order, rows), self._order.place)
            self.sequence = self._order.sequence
        return self._goes_on(head, full=len(rows) == limit)

    def _fold_old(self, ex: Executor) -> bool:
        """Fold what was folded when it began, and no more: how many come before holds for that."""
        upto = self._begun.checkpoint
        rows = self._old_order.next_page(ex, self._page, upto)
        if rows:
            self._fold(self._old, self._old_order, rows)
        elif self._old_order.sequence != upto:
            raise SnapshotGoneError
        else:
            self._is_old_folded = True
        return True

    def _goes_on(self, head: int, *, full: bool) -> bool:
        if self._order.looked:
            self._upto = head
        if self._order.outdated:
            raise SnapshotGoneError
        if self.sequence >= head:
            return False
        if not full and self.sequence < self._upto:
            raise SnapshotGoneError
        return True

    def _fold(self, over: Over, order: FoldOrder, rows: Sequence[Row]) -> Changes:
        """Fold a page and return what it wrote."""
        state = fold_rows(self._domain, over, rows, self._space)
        over.update(state.written)
        order.folded()
        self._event_id = max(self._event_id, *(row[0] for row in rows))
        return state.written

    def is_stale(self, ex: Executor) -> bool:
        """Say whether what is stored is another fold than when it began; under the lock.

        Others folded the late events, or replaced everything; or an event says to leave one out
        that may be in a snapshot.
        """
        guard, begun = facts_of(ex, self._space).guard, self._begun
        if (guard.checkpoint, guard.state_version) != (begun.checkpoint, begun.state_version):
            return True
        return bool(
            read_discarded(
                ex, self._space.space_id, after=begun.checkpoint, upto=guard.last_sequence
            )
        )

    def swap(self, ex: Executor, guard: Guard, now: int) -> None:
        """Write what differs, and the snapshots; under the lock, when there is no more to fold."""
        self._chunks.ex = ex
        space_id, stamp = self._space.space_id, max(now, guard.last_timestamp)
        links = self._keeps_links(ex, guard)
        for keys in _batches(self._suspects(), self._page):
            stored = read_values(ex, space_id, keys)
            new = {key: self._new.value(key) for key in keys}
            puts = {k: v for k, v in new.items() if v is not None and v != stored[k]}
            deletes = [k for k, v in new.items() if v is None and stored[k] is not None]
            replace(ex, space_id, [*puts.items()], now=stamp)
            pstate.delete(ex, space_id, deletes)
            text_index.keep_text(ex, space_id, guard.searched, puts, deletes)
            if links:
                schema = self._domain.schema
                found = {key: links_in(schema, key, value) for key, value in puts.items()}
                now_links = {key: found.get(key) or frozenset() for key in (*puts, *deletes)}
                replace_links(ex, space_id, now_links)
        self._move(ex, guard, stamp)
        drop_canonical_from(ex, space_id, self._late)
        self._trail.store(ex, space_id)

    def _suspects(self) -> Iterator[str]:
        """Yield the keys that may differ from what is stored, in order."""
        untrue = [keys_in(each, self._chunks) for each in self._untrue]
        found = merge(self._old.written(), self._new.written(), *untrue)
        return (key for key, _same in groupby(found))

    def _keeps_links(self, ex: Executor, guard: Guard) -> bool:
        if guard.indexed is None:
            return False
        if guard.indexed != self._domain.schema.index:
            set_indexed(ex, self._space.space_id, None)
            return False
        return True

    def _move(self, ex: Executor, guard: Guard, stamp: int) -> None:
        space_id, names = self._space.space_id, self._domain.names
        write = SpaceWrite(
            space_id,
            guard,
            last_timestamp=stamp + 1,  # see `Refold`
            checkpoint=guard.last_sequence,
            checkpoint_event_id=self._event_id,
            version_step=guard.step_to_replacement,
        )
        extras = [] if names == guard.domains else [domains_row(space_id, names)]
        write_plan(ex, WritePlan([write], b"", stamp, extras))


def _batches(keys: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(islice(keys, size)):
        yield batch
