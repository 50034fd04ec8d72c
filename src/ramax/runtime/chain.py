"""Beginning and ending the hash chain of a space."""

import time
from collections.abc import Callable

from ramax.core.chain import BEGINNING
from ramax.errors import SpaceNotFoundError
from ramax.runtime.core import Core
from ramax.storage import branches, chain
from ramax.storage.executors import Executor
from ramax.storage.locks import keep, move_state_version, take_lock
from ramax.values import ChainHead, Progress, Space

_TAIL = 1000
"""Events that may be left to hash under the lock."""


async def enable(
    core: Core, space: Space, progress: Callable[[Progress], object] | None = None
) -> ChainHead:
    """Hash every event of a space, and let the writer go on from there.

    History is hashed page by page beside live writes; only the last events under the lock.

    Raises:
        SpaceNotFoundError: There is no such space, or it was deleted meanwhile.
    """
    found = await head(core, space)
    if found is not None:
        return found
    new = _Beginning(space, core.options.page)
    started = time.monotonic()
    total = _TAIL + 1
    while total - new.sequence > _TAIL:
        total = await core.locked(_title(space), new.hash_page)
        if progress is not None:
            progress(Progress(new.sequence, total, time.monotonic() - started))
    made = await core.locked(_title(space), new.finish)
    core.cache.forget(space.space_id)
    return made


async def disable(core: Core, space: Space) -> None:
    """Forget the chain of a space; the events stay.

    Raises:
        SpaceInUseError: Spaces of other branches go on from it.
    """

    def work(ex: Executor) -> None:
        take_lock(ex, space.space_id, space.space_name)
        branches.check_unneeded(ex, space.space_id, space.space_name)
        chain.write_head(ex, space.space_id, None)
        chain.delete_hashes(ex, space.space_id)
        move_state_version(ex, space.space_id)

    await core.locked(f"ending the hash chain of space {space.space_name!r}", work)
    core.cache.forget(space.space_id)


async def head(core: Core, space: Space) -> ChainHead | None:
    """Return the newest hash of a space; None where it has no chain."""
    found = await core.read(lambda ex: chain.read_head(ex, space.space_id))
    if found is None:
        raise SpaceNotFoundError(space.space_name)
    sequence, newest, _ = found
    return None if newest is None else ChainHead(sequence, bytes(newest))


class _Beginning:
    """The hashes of what is there already; each method runs in a transaction of its own."""

    def __init__(self, space: Space, page: int) -> None:
        self._space, self._page = space, page
        self.sequence, self._hash = 0, BEGINNING

    def hash_page(self, ex: Executor) -> int:
        """Hash the next events; return the newest sequence of the space."""
        last = keep(ex, self._space.space_id)
        if last is None:
            raise SpaceNotFoundError(self._space.space_name)
        self._step(ex)
        return last

    def finish(self, ex: Executor) -> ChainHead:
        """Under the lock: hash the rest, and begin."""
        space_id = self._space.space_id
        take_lock(ex, space_id, self._space.space_name)
        before = -1
        while self.sequence != before:
            before = self.sequence
            self._step(ex)
        chain.write_head(ex, space_id, self._hash)
        move_state_version(ex, space_id)  # whoever knows the guard must learn of the chain
        return ChainHead(self.sequence, self._hash)

    def _step(self, ex: Executor) -> None:
        self.sequence, self._hash = chain.hash_page(
            ex, self._space.space_id, self.sequence, self._hash, self._page
        )


def _title(space: Space) -> str:
    return f"hashing the events of space {space.space_name!r}"
