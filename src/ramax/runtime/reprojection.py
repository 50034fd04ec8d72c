"""Rebuilding a projection: the rows of one space made anew, in one transaction.

History is read, and its statements are made, beside live writes. Then the space's lock is taken:
its rows go, the statements run, and what was appended meanwhile follows. Readers see the old rows
or the new ones. A replicated space is read in the order of all replicas.
"""

import time
from collections.abc import Callable, Sequence

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.runtime.core import Core
from ramax.runtime.fold_order import FoldOrder
from ramax.runtime.page_fold import facts_of
from ramax.runtime.projecting import project_rows
from ramax.storage import projections, subscriptions
from ramax.storage.events import FOREVER, read_head
from ramax.storage.executors import Executor
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.projections import Bound
from ramax.storage.subscriptions import Key
from ramax.values import Progress, Space

_PREPARED = 100_000
"""Statements that are held in memory; what is beyond is made under the lock, page by page."""


async def rebuild(
    core: Core,
    space: Space,
    domain: Domain,
    projection: Projection,
    progress: Callable[[Progress], object] | None = None,
) -> int:
    """Make the rows of one space anew and return how many events were projected.

    Raises:
        ProjectionError: A handler failed; the old rows stay.
        SpaceNotFoundError: There is no such space, or it was deleted meanwhile.
    """
    new = Reprojection(space, domain, projection, core.options.page)
    started = time.monotonic()
    more = True
    while more and len(new.prepared) < _PREPARED:
        more, total = await core.read_whole(
            lambda ex: (new.prepare(ex), read_head(ex, space.space_id) or 0)
        )
        if progress is not None:
            progress(Progress(new.projected, total, time.monotonic() - started))
    try:
        await core.turns.locked(
            f"rebuilding projection {projection.name!r} of space {space.space_name!r}",
            lambda ex: new.swap(ex, core.clock()),
        )
    finally:
        core.cache.forget(space.space_id)
    core.arrivals.moved(space.space_id, projection.name)
    return new.reached


class Reprojection:
    """The new rows of a projection, as statements; each method is one unit of work."""

    def __init__(self, space: Space, domain: Domain, projection: Projection, page: int) -> None:
        self._space, self._domain, self._projection, self._page = space, domain, projection, page
        self._order: FoldOrder | None = None
        self.prepared: list[Bound] = []
        self.reached = 0

    @property
    def projected(self) -> int:
        """How many events were read so far."""
        return 0 if self._order is None else self._order.sequence

    def prepare(self, ex: Executor) -> bool:
        """Make the statements of the next events; say whether there may be more."""
        rows, made = self._next(ex, FOREVER)
        self.prepared += made
        return rows == self._page

    def swap(self, ex: Executor, now: int) -> None:
        """Under the lock: empty the tables, run what was made, and what follows it."""
        space_id = self._space.space_id
        take_lock(ex, space_id, self._space.space_name)
        head = read_head(ex, space_id) or 0
        self.write(ex, head)
        projections.move(ex, space_id, self._projection.name, head, now)
        self._resume(ex)
        move_state_version(ex, space_id)
        self.reached = head

    def write(self, ex: Executor, upto: int) -> None:
        """Under the lock: make the rows those of the events up to a sequence, and of no others."""
        if self._order is not None and self._order.replicated != self._is_replicated(ex):
            self._begin_again()
        self._replace(ex, upto)
        if self.projected != upto:  # some came meanwhile that belong before others
            self._begin_again()
            self._replace(ex, upto)

    def _replace(self, ex: Executor, upto: int) -> None:
        projections.empty(ex, self._projection.tables, self._space.space_id)
        projections.run(ex, self.prepared)
        rows = self._page
        while rows == self._page:
            rows, made = self._next(ex, upto)
            projections.run(ex, made)

    def _next(self, ex: Executor, upto: int) -> tuple[int, Sequence[Bound]]:
        """Make the statements of the next page; return of how many events they are."""
        if self._order is None:
            replicated = self._is_replicated(ex)
            self._order = FoldOrder(self._space.space_id, replicated=replicated)
        rows = self._order.next_page(ex, self._page, upto)
        made = project_rows(ex, self._projection, self._domain, self._space, rows) if rows else ()
        self._order.folded()
        return len(rows), made

    def _is_replicated(self, ex: Executor) -> bool:
        return facts_of(ex, self._space).guard.replica is not None

    def _begin_again(self) -> None:
        self._order, self.prepared = None, []

    def _resume(self, ex: Executor) -> None:
        """Let an async one go on that had paused at an event: that one is projected now."""
        key = Key(self._space.space_id, self._projection.name)
        standing = subscriptions.stands(ex, key)
        if standing is not None and standing.stopped_at is not None:
            subscriptions.resume(ex, key)
