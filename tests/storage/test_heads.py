from ramax.storage.heads import read_heads
from tests._domains import add, counter


async def test_the_heads_of_many_spaces_are_read_at_once(db):
    stores = [await db.content_store(name, counter()) for name in ("a", "b", "c")]
    await stores[0].execute_many([(add, None)] * 3)
    await stores[1].execute(add)
    ids = [store.space.space_id for store in stores]
    found = await db._core.read(lambda ex: read_heads(ex, [*ids[:2], 99]))
    assert found == {ids[0]: 3, ids[1]: 1}
    assert await db._core.read(lambda ex: read_heads(ex, [])) == {}
