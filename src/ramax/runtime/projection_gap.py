"""What inline projections have missed, or got too late: brought in, page by page or all anew."""

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.errors import SpaceNotFoundError
from ramax.runtime import reprojection
from ramax.runtime.arrived import came_late, read_arrived
from ramax.runtime.core import Core
from ramax.runtime.projecting import project_rows
from ramax.storage import checkpoints, projections
from ramax.storage.events import read_head, read_page
from ramax.storage.executors import Executor
from ramax.storage.locks import move_state_version, take_lock
from ramax.values import Space


async def project_missing(core: Core, space: Space, domain: Domain) -> None:
    """Project what inline projections of a domain lack, a page per transaction.

    What came late is put in its place beside live writes, like a rebuild: once for all of it.

    Raises:
        ProjectionError: A handler failed; earlier pages stay.
        SpaceNotFoundError: The space was deleted meanwhile.
    """
    for projection in await core.read(lambda ex: _too_late(ex, space, domain)):
        await reprojection.rebuild(core, space, domain, projection)
    while await core.turns.locked(
        f"projecting space {space.space_name!r}",
        lambda ex: project_gap(ex, space, domain, core.options.page, core.clock()),
    ):
        core.cache.forget(space.space_id)


def _too_late(ex: Executor, space: Space, domain: Domain) -> list[Projection]:
    head, found = _positions(ex, space)
    return [
        each
        for each in domain.projections.inline
        if (after := found.get(each.name, 0)) < head
        and came_late(ex, space, domain, each, after=after, upto=head)
    ]


def _positions(ex: Executor, space: Space) -> tuple[int, dict[str, int]]:
    """Read the head of a space, and where its readers are."""
    found = checkpoints.read_all(ex, space.space_id)
    if found is None:
        raise SpaceNotFoundError(space.space_name)
    return read_head(ex, space.space_id) or 0, found


def project_gap(ex: Executor, space: Space, domain: Domain, limit: int, now: int) -> int:
    """Project up to ``limit`` events that an inline projection lacks, the first that lacks any.

    Where one of them came too late for that, its rows are made anew, of all events.

    Returns:
        How many there were; 0 if none lacks any.

    Raises:
        ProjectionError: A handler failed; what was projected before stays.
    """
    space_id = space.space_id
    take_lock(ex, space_id, space.space_name)
    head, found = _positions(ex, space)
    for projection in domain.projections.inline:
        after = found.get(projection.name, 0)
        if after >= head:
            continue
        if came_late(ex, space, domain, projection, after=after, upto=head):
            new = reprojection.Reprojection(space, domain, projection, limit)
            new.swap(ex, now)
            return head - after
        rows = read_page(ex, space_id, after=after, limit=limit)
        upto = rows[-1][2]
        arrived = read_arrived(ex, space, domain, projection, after=after, upto=upto)
        made = project_rows(ex, projection, domain, space, arrived.rows(rows))
        projections.run(ex, made)
        projections.move(ex, space_id, projection.name, upto, now)
        move_state_version(ex, space_id)  # whoever knew where it was is to look again
        return len(rows)
    return 0
