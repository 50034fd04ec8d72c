"""The keys whose texts wait: in order, a page at a time, each space's by itself."""

from ramax.storage.text_waiting import forget_waiting, read_spaces_that_wait, read_waiting
from ramax.values import MAIN_BRANCH


async def test_what_waits_is_read_in_pages_and_forgotten_by_key(db):
    spaces = []
    for name in ("a", "b", "silent"):
        store = await db.content_store(name)
        await db.spaces.enable_search(name, mode="async")
        spaces.append(store.space)
    for space in spaces[:2]:
        store = await db.content_store(space)
        await store.kv.put_many({f"k{n}": space.space_name for n in range(5)})
        await store.kv.put("k1", "again")
    one, other, _ = (space.space_id for space in spaces)
    read = db._core.read
    first = await read(lambda ex: read_waiting(ex, one, limit=3))
    rest = await read(lambda ex: read_waiting(ex, one, limit=3, after=first[-1]))
    assert [key[-2:] for key in (*first, *rest)] == ["k0", "k1", "k2", "k3", "k4"]
    assert await read(lambda ex: read_spaces_that_wait(ex, MAIN_BRANCH)) == spaces[:2]
    assert await read(lambda ex: read_spaces_that_wait(ex, MAIN_BRANCH + 1)) == []
    await db._core.locked("test", lambda ex: forget_waiting(ex, one, [*first, *rest]))
    assert await read(lambda ex: read_waiting(ex, one, limit=9)) == []
    assert len(await read(lambda ex: read_waiting(ex, other, limit=9))) == 5
