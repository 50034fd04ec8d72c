"""Indexing texts after the commits that changed them: in any process, each key at least once.

What waits is in a table that the commit has written. A page of it is indexed and taken away in one
transaction under the space's lock, so a crash, or a second worker, leaves nothing out.
"""

import logging
from collections.abc import Sequence

from ramax.errors import DataError, SpaceNotFoundError, StorageError
from ramax.runtime.core import Core
from ramax.storage import text_index
from ramax.storage.cursors import all_spaces
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.reads import read_facts
from ramax.storage.text_waiting import forget_waiting, read_spaces_that_wait, read_waiting
from ramax.values import Space

logger = logging.getLogger("ramax.search")

PAGE = 200
"""Keys of one transaction: as long as that takes, nobody else writes to the space."""


async def run(core: Core, spaces: Sequence[Space], poll_interval: float) -> None:
    """Index what waits, and what will wait, in some spaces or with none in all; until cancelled.

    A commit in this process, or a hint from another one, wakes it; it looks anyway after
    ``poll_interval`` seconds. A failure of the database is logged, and tried again then.
    """
    bell = core.wakeups.bell(all_spaces(await core.branch()), poll_interval)
    try:
        while not core.closed:
            bell.clear()
            if not await _index_all(core, spaces):
                await bell.wait(poll_interval)
    finally:
        await core.wakeups.dismiss(bell)


async def _index_all(core: Core, spaces: Sequence[Space]) -> int:
    done = 0
    try:
        branch = await core.branch()
        behind = await core.read(lambda ex: read_spaces_that_wait(ex, branch))
    except StorageError as error:
        logger.warning("looking for texts that wait to be indexed failed: %s", error)
        return 0
    chosen = {space.space_id for space in spaces}
    for space in behind:
        if chosen and space.space_id not in chosen:
            continue
        try:
            done += await index_waiting(core, space)
        except SpaceNotFoundError:
            continue  # deleted meanwhile, with what waited
        except (StorageError, DataError) as error:
            logger.warning("texts of space %r were not indexed: %s", space.space_name, error)
    return done


async def index_waiting(core: Core, space: Space) -> int:
    """Index what waits in one space; return of how many keys.

    Raises:
        SpaceNotFoundError: The space was deleted.
        DataError: A stored value cannot be read.
    """
    done = 0
    title = f"indexing texts of space {space.space_name!r} that waited"
    while await core.read(lambda ex: read_waiting(ex, space.space_id, limit=1)):
        done += await core.locked(title, lambda ex: index_page(ex, space))
    return done


def index_page(ex: Executor, space: Space) -> int:
    """Index the first keys that wait, in the transaction of ``ex``; return how many."""
    space_id = space.space_id
    take_lock(ex, space_id, space.space_name)
    keys = read_waiting(ex, space_id, limit=PAGE)
    if not keys:
        return 0  # another worker did
    facts = read_facts(ex, {space_id: keys}).get(space_id)
    if facts is None:
        raise SpaceNotFoundError(space.space_name)
    if facts.guard.searched is not None:
        puts = {key: value for key, value in facts.values.items() if value is not None}
        gone = [key for key in keys if key not in puts]
        text_index.index_now(ex, space_id, facts.guard.searched, puts, gone)
    forget_waiting(ex, space_id, keys)
    return len(keys)
