"""Whether the stored pstate of a space is the fold of its events.

History is folded anew, up to where the pstate is. Each page of stored keys is read together with
its checkpoint, and the fold is brought to that checkpoint first: so live writes do no harm.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ramax.core.domain import Domain
from ramax.core.equality import same_value
from ramax.core.fold import check_fit, fold
from ramax.core.state import Packed, SpaceState, unpack
from ramax.errors import DataError, SchemaError, SpaceNotFoundError
from ramax.runtime.findings import Findings
from ramax.runtime.fold_order import FoldOrder
from ramax.runtime.page_fold import facts_of
from ramax.storage.events import applied_events
from ramax.storage.executors import Executor, Row
from ramax.storage.reads import packed, read_event_types
from ramax.storage.spill import Spill
from ramax.storage.verify import read_stored_at
from ramax.values import Space


class PstateCheck:
    """Folds and compares; each method runs in one unit of work, one at a time.

    Args:
        page: Events, and stored keys, that are in memory at once.
        memory: Bytes that the fold may take in memory; the rest goes to a temporary file.
    """

    def __init__(
        self, space: Space, domain: Domain, findings: Findings, page: int, memory: int
    ) -> None:
        self._space, self._domain, self._findings, self._page = space, domain, findings, page
        self._schema = domain.schema
        self._values = Spill(memory)
        self._after = ""
        self._walk: Iterator[tuple[str, bytes]] = iter(())
        self._next: tuple[str, bytes] | None = None
        self._order = FoldOrder(space.space_id, replicated=False)
        self._checkpoint = self.folded = self.compared = 0

    def close(self) -> None:
        """Free memory and temporary files."""
        self._values.close()

    def begin(self, ex: Executor) -> None:
        """Read how far the pstate is folded, and by whom.

        Raises:
            DomainMismatchError: It is the fold of other domains.
        """
        guard = facts_of(ex, self._space).guard
        check_fit(
            self._domain,
            guard.domains,
            guard.checkpoint,
            self._space.space_name,
            lambda upto: read_event_types(ex, self._space.space_id, upto),
        )
        self._checkpoint = guard.checkpoint
        self._order = FoldOrder(self._space.space_id, replicated=guard.replica is not None)

    def fold_page(self, ex: Executor) -> bool:
        """Fold the next events up to the checkpoint; say whether there may be more.

        Raises:
            FoldError: An applicator failed.
            DataError: An event cannot be read.
        """
        rows = self._order.next_page(ex, self._page, self._checkpoint)
        state = SpaceState(self._values)
        name = self._space.space_name
        fold(self._domain, state, applied_events(rows, self._domain, name), name)
        self._values.update(state.written)
        self._order.folded()
        more = len(rows) == self._page
        self.folded = self._order.sequence if more else self._checkpoint
        if not more:
            self._walk = self._values.walk(self._after)
            self._step()
        return more

    def compare_page(self, ex: Executor) -> bool:
        """Compare the next stored keys with the fold; say whether there may be more."""
        found = read_stored_at(ex, self._space.space_id, after=self._after, limit=self._page)
        if found is None:
            raise SpaceNotFoundError(self._space.space_name)
        checkpoint, rows = found
        if checkpoint < self.folded:
            self._add(f"the checkpoint went back, from {self.folded} to {checkpoint}")
            return False
        if checkpoint > self.folded:
            self._checkpoint = checkpoint
            self._go_on()
            while self.fold_page(ex):
                pass
        self._compare(rows)
        more = len(rows) == self._page
        while not more and self._next is not None:
            self._missing()
        return more

    def _go_on(self) -> None:
        """Fold what came meanwhile; all of it anew where it may belong before other events."""
        if self._order.replicated:
            self._values.close()
            self._order = FoldOrder(self._space.space_id, replicated=True)

    def _compare(self, rows: Sequence[Row]) -> None:
        for key, value, form, direct in rows:
            while self._next is not None and self._next[0] < key:
                self._missing()
            if self._next is None or self._next[0] != key:
                self._check_surplus(key, packed(value, form), direct)
            else:
                self._check_value(key, packed(value, form), self._next[1], direct)
                self._step()
            self._after = key

    def _missing(self) -> None:
        assert self._next is not None
        self.compared += 1
        self._add(f"key {self._next[0]!r} is missing: events make it")
        self._step()

    def _check_surplus(self, key: str, stored: Packed, direct: int) -> None:
        if not direct:
            self.compared += 1
            self._add(f"key {key!r} is there, but no event makes it")
        elif self._schema.declares:  # what `put` wrote is nobody's fold, but it has to be readable
            try:
                self._read(key, stored)
            except DataError as error:
                self._add(str(error))

    def _read(self, key: str, stored: Packed) -> Any:
        value = self._schema.read(key, unpack(stored))
        entity = self._schema.entity_of(key)
        if entity is not None and entity.mode == "warn":
            problem = entity.problem(key, value)
            if problem is not None:
                raise problem
        return value

    def _check_value(self, key: str, stored: Packed, folded: bytes, direct: int) -> None:
        self.compared += 1
        if direct:
            self._add(f"key {key!r} is marked as written by put(), but events make it")
            return
        if stored == folded and not self._schema.declares:
            return
        try:  # as users see it: in the shape that is declared, whichever it is stored in
            same = same_value(self._read(key, stored), self._read(key, folded))
        except SchemaError as error:
            self._add(str(error))
            return
        except DataError as error:
            self._add(f"key {key!r} cannot be read: {error}")
            return
        if not same:
            self._add(f"key {key!r} is not what the events make it")

    def _step(self) -> None:
        self._next = next(self._walk, None)

    def _add(self, message: str) -> None:
        self._findings.add("pstate", message)
