import pytest

from ramax.storage.verify import read_checkpoints, read_ends, read_stored_at
from tests._domains import add, counter, documents, put


@pytest.fixture
async def store(db):
    other = await db.content_store("other", counter())
    await other.execute(add)
    store = await db.content_store("s", documents())
    for name in ("b", "a", "c"):
        await store.execute(put, (name, {}))
    await store.events.append("d", "doc.put", {})
    return store


async def test_the_ends_of_a_log_are_those_of_its_space(db, store):
    space_id = store.space.space_id
    assert await db._core.read(lambda ex: read_ends(ex, space_id)) == (4, 4)
    empty = await db.spaces.create("empty")
    assert await db._core.read(lambda ex: read_ends(ex, empty.space_id)) == (0, 0)
    assert await db._core.read(lambda ex: read_ends(ex, 99)) is None


async def test_checkpoints_come_with_the_event_that_is_there(db, store):
    await store.update_checkpoint(2, name="mailer")
    rows = await db._core.read(lambda ex: read_checkpoints(ex, store.space.space_id))
    assert [tuple(row) for row in rows] == [(4, "mailer", 2, 3, 3), (4, "pstate", 3, 4, 4)]


async def test_a_page_of_keys_comes_with_its_checkpoint(db, store):
    async def page(after: str) -> tuple[int, list[str]]:
        found = await db._core.read(
            lambda ex: read_stored_at(ex, store.space.space_id, after=after, limit=2)
        )
        return found[0], [row[0] for row in found[1]]

    assert await page("") == (3, ["a", "b"])
    assert await page("b") == (3, ["c"])
    assert await page("c") == (3, [])


async def test_a_space_without_keys_and_one_that_is_gone_are_told_apart(db, store):
    empty = await db.spaces.create("empty")

    async def page(space_id: int) -> object:
        return await db._core.read(lambda ex: read_stored_at(ex, space_id, after="", limit=2))

    assert await page(empty.space_id) == (0, [])
    assert await page(99) is None
