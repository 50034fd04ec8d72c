"""Who holds a space, who keeps it, and what moves when its state was changed by hand."""

import pytest

from ramax.errors import SpaceNotFoundError, StorageBusyError
from ramax.storage import deletion, locks
from ramax.storage.executors import CoreExecutor
from ramax.storage.planning import limit_waiting
from tests._domains import documents, put


async def test_what_is_not_there_is_neither_kept_nor_moved_nor_locked(db):
    assert await db._core.locked("a test", lambda ex: locks.keep(ex, 9)) is None
    assert await db._core.locked("a test", lambda ex: locks.move_state_version(ex, 9)) is None
    with pytest.raises(SpaceNotFoundError):
        await db._core.locked("a test", lambda ex: locks.take_lock(ex, 9, "none"))


async def test_the_state_version_moves_and_the_sequence_does_not(db):
    store = await db.content_store("s", documents())
    await store.execute(put, ("k", {}))

    def move(ex):
        return locks.move_state_version(ex, store.space.space_id)

    first = await db._core.locked("a test", move)
    second = await db._core.locked("a test", move)
    assert (first[0], second[0]) == (1, 1)
    assert second[1] == first[1] + 1


@pytest.mark.postgres
async def test_who_keeps_a_space_lets_appends_through_and_no_delete(db_on_postgres):
    db = db_on_postgres
    store = await db.content_store("s", documents())
    space_id, tables = store.space.space_id, db._core.backend.tables

    def delete(ex):
        limit_waiting(ex, 0.01)
        deletion.delete(ex, store.space, force=True)

    async with db.engine.connect() as other:
        head = await other.run_sync(lambda c: locks.keep(CoreExecutor(c, tables), space_id))
        assert head == 0
        await store.execute(put, ("k", {}))
        with pytest.raises(StorageBusyError):
            await db._core.backend.locked(delete)
