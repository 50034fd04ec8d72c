"""Storing what a fold came to as a snapshot, beside live writes."""

from ramax.core.domain import Domain
from ramax.runtime.core import Core
from ramax.runtime.past_fold import PastFold
from ramax.storage import snapshots
from ramax.storage.executors import Executor
from ramax.storage.locks import keep, take_lock
from ramax.storage.snapshots import Fold, Stored


async def save(core: Core, fold: PastFold, domain: Domain) -> bool:
    """Store a fold, a chunk per transaction; the head, which makes the chunks count, last.

    Writers wait for none of it but the last step, which is short.

    Returns:
        False where somebody pruned, rebuilt, changed the version or deleted the space meanwhile.
    """
    space, whose, sequence = fold.space, Fold.of(domain.fold_versions), fold.sequence
    title = f"a snapshot of space {space.space_name!r}"
    count = keys = 0
    for number, data in snapshots.chunks_of(fold.walk()):

        def chunk(ex: Executor, at: int = count, data: bytes = data) -> bool:
            there = keep(ex, space.space_id) is not None
            if there:
                snapshots.write_chunk(ex, space.space_id, sequence, whose, at, data)
            return there

        if not await core.locked(title, chunk):
            return False
        count, keys = count + 1, keys + number
    stored = Stored(sequence, count, fold.latest)

    def head(ex: Executor) -> bool:
        take_lock(ex, space.space_id, space.space_name)
        now = core.clock()
        return snapshots.write_head(ex, space.space_id, stored, whose, key_count=keys, now=now)

    return await core.locked(title, head)
