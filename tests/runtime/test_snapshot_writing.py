from ramax import Domain
from ramax.runtime.past import Past
from ramax.runtime.snapshot_writing import save
from tests._domains import add, counter


async def test_a_fold_of_a_space_that_is_gone_is_not_stored(db):
    domain = Domain("counter", lambda state, _: state.__setitem__("n", 1), fold_version=1)
    store = await db.content_store("s", counter())
    await store.execute(add)
    past = Past(db._core, store.space, domain, 1)
    fold = await past.folded()
    await db.spaces.delete("s", force=True)
    assert not await save(db._core, fold, domain)
    async with db.connection() as connection:
        rows = await connection.exec_driver_sql("SELECT chunk FROM pstate_snapshot_chunks")
        assert rows.all() == []


async def test_a_fold_is_stored_with_what_it_knows(db):
    domain = Domain("counter", lambda state, _: state.__setitem__("n", 1), fold_version=4)
    store = await db.content_store("s", domain)
    event = await store.events.append("n", "added", {})
    past = Past(db._core, store.space, domain, 1)  # its values are closed when it is forgotten
    fold = await past.folded()
    assert fold.latest == event.micros
    assert await save(db._core, fold, domain)
    [found] = await store.snapshots.list()
    assert (found.space_sequence, found.domains, found.key_count) == (1, {"counter": 4}, 1)
