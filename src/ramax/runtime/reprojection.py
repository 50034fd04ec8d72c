"""Rebuilding a projection: the rows of one space made anew, in one transaction.

History is read, and its statements are made, beside live writes. Then the space's lock is taken:
its rows go, the statements run, and what was appended meanwhile follows. Readers see the old rows
or the new ones.
"""

import time
from collections.abc import Callable

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.runtime.core import Core
from ramax.runtime.projecting import project_rows
from ramax.storage import projections, subscriptions
from ramax.storage.events import read_head, read_page
from ramax.storage.executors import Executor
from ramax.storage.projections import Bound
from ramax.storage.spaces import move_state_version, take_lock
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
    new = _Reprojection(space, domain, projection, core.options.page)
    started = time.monotonic()
    more = True
    while more and len(new.prepared) < _PREPARED:
        more, total = await core.read_whole(
            lambda ex: (new.prepare(ex), read_head(ex, space.space_id) or 0)
        )
        if progress is not None:
            progress(Progress(new.sequence, total, time.monotonic() - started))
    try:
        await core.writer.locked(
            f"rebuilding projection {projection.name!r} of space {space.space_name!r}",
            lambda ex: new.swap(ex, core.clock()),
        )
    finally:
        core.cache.forget(space.space_id)
    core.arrivals.moved(space.space_id, projection.name)
    return new.reached


class _Reprojection:
    """The new rows of a projection, as statements; each method is one unit of work."""

    def __init__(self, space: Space, domain: Domain, projection: Projection, page: int) -> None:
        self._space, self._domain, self._projection, self._page = space, domain, projection, page
        self.prepared: list[Bound] = []
        self.sequence = self.reached = 0

    def prepare(self, ex: Executor) -> bool:
        """Make the statements of the next events; say whether there may be more."""
        rows = read_page(ex, self._space.space_id, after=self.sequence, limit=self._page)
        if rows:
            self.prepared += project_rows(ex, self._projection, self._domain, self._space, rows)
            self.sequence = rows[-1][2]
        return len(rows) == self._page

    def swap(self, ex: Executor, now: int) -> None:
        """Under the lock: empty the tables, run what was made, and what follows it."""
        space_id, projection = self._space.space_id, self._projection
        take_lock(ex, space_id, self._space.space_name)
        projections.empty(ex, projection.tables, space_id)
        projections.run(ex, self.prepared)
        after, head = self.sequence, read_head(ex, space_id) or 0
        while after < head:
            rows = read_page(ex, space_id, after=after, limit=self._page)
            projections.run(ex, project_rows(ex, projection, self._domain, self._space, rows))
            after = rows[-1][2]
        projections.move(ex, space_id, projection.name, head, now)
        self._resume(ex)
        move_state_version(ex, space_id)
        self.reached = head

    def _resume(self, ex: Executor) -> None:
        """Let an async one go on that had paused at an event: that one is projected now."""
        key = Key(self._space.space_id, self._projection.name)
        standing = subscriptions.stands(ex, key)
        if standing is not None and standing.stopped_at is not None:
            subscriptions.resume(ex, key)
