from ramax.core.sync.head import ReplicaHead
from ramax.storage import origins
from tests._plans import NEW, appended, write
from tests._plans import plan as plan_of


def test_a_space_that_is_not_replicated_gets_no_row():
    assert origins.origin_rows([appended(1, 3)]) == []


async def test_the_head_moves_with_the_events_and_not_without_them(db):
    store = await db.content_store("notes")
    info = await store.replica.enable()
    guard = NEW._replace(state_version=99, replica=ReplicaHead(info.origin).pack())
    lost = appended(store.space.space_id, 1, guard, replica=ReplicaHead(info.origin, 5, 5).pack())
    assert await write(db, plan_of(lost)) == {}
    assert (await store.replica.info()).vector == {}


async def test_of_several_spaces_only_replicated_ones_have_a_head(db):
    spaces = [(await db.content_store(name)) for name in ("notes", "plain", "more")]
    for store in (spaces[0], spaces[2]):
        await store.replica.enable()
    async with db.transaction("notes", "plain", "more") as tx:
        for store in spaces:
            await tx.at(store.space).append("e", "t", {})
    assert [await store.replica.enabled() for store in spaces] == [True, False, True]
    for store in (spaces[0], spaces[2]):
        info = await store.replica.info()
        assert info.vector == {info.origin: 1}
