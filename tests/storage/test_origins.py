from ramax.core.sync.head import ReplicaHead
from ramax.storage import origins
from tests._plans import NEW, appended, write
from tests._plans import plan as plan_of


def test_a_space_that_is_not_replicated_gets_no_row():
    assert origins.origin_rows([appended(1, 3)]) == []


async def test_the_vector_is_found_origin_by_origin(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.kv.put("a", 1)
    space_id = store.space.space_id
    vector = await store._core.read(lambda ex: origins.read_vector(ex, space_id))
    assert vector == (await store.replica.info()).vector
    newest = await store._core.read(
        lambda ex: origins.read_newest(ex, space_id, next(iter(vector)))
    )
    assert newest == (1, (await store.replica.info()).stamp)
    assert await store._core.read(lambda ex: origins.read_newest(ex, space_id, b"x" * 16)) == (0, 0)


async def test_the_head_moves_with_the_events_and_not_without_them(db):
    store = await db.content_store("notes")
    info = await store.replica.enable()
    guard = NEW._replace(state_version=99, replica=ReplicaHead(info.origin).pack())
    lost = appended(store.space.space_id, 1, guard, replica=ReplicaHead(info.origin, 5, 5).pack())
    assert await write(db, plan_of(lost)) == {}
    assert (await store.replica.info()).vector == {}
