"""``db.spaces.clone``: another space of the same branch that goes on from one."""

from ramax.core.limits import validate_space_name
from ramax.errors import MisuseError, SpaceExistsError
from ramax.runtime.core import Core, SpaceLike
from ramax.storage import branches, forking, inherit, locks, spaces
from ramax.storage.executors import Executor
from ramax.storage.lineage import FOREVER
from ramax.storage.spaces import DEFAULT
from ramax.values import Space


async def clone(core: Core, source: SpaceLike, name: str) -> Space:
    """Fork one space; see `SpaceRegistry.clone`."""
    if validate_space_name(name) == DEFAULT:
        raise SpaceExistsError(name)
    found = await core.resolve(source)
    if not found.space_id:
        raise MisuseError(f"space {found.space_name!r} holds nothing yet to be cloned")
    now = core.clock()

    def work(ex: Executor) -> Space:
        branches.keep(ex, found.branch_id, f"number {found.branch_id}")
        locks.take_lock(ex, found.space_id, found.space_name)
        if spaces.find_by_name(ex, name, found.branch_id) is not None:
            raise SpaceExistsError(name)
        forking.check_in_order(ex, found.space_id, found.space_name, FOREVER)
        space_id = forking.fork_space(ex, found.space_id, name, now)
        made = None if space_id is None else spaces.find_by_id(ex, space_id)
        if made is None:  # another process made it since
            raise SpaceExistsError(name)
        if inherit.has_direct(ex, found.space_id):
            inherit.inherit_all(ex, found.space_id, made.space_id, now)
        return made

    return await core.locked(f"cloning space {found.space_name!r}", work)
