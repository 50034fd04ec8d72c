"""What the handles share: which space is meant."""

import pytest

import ramax
from ramax import DataError, Space
from ramax.errors import SpaceNotFoundError
from ramax.runtime.core import utc_micros
from tests._counting import counted
from tests._domains import add, counter


async def test_a_space_that_is_given_is_taken_as_it_is(db):
    made = await db.spaces.create("acme")
    async with counted(db) as calls:
        assert await db._core.resolve(made) is made
    assert calls.texts == []
    assert await db._core.resolve("acme") == made
    assert await db._core.resolve(made.space_id) == made


async def test_a_space_that_is_to_be_present_is_looked_for(db):
    made = await db.spaces.create("acme", {"a": 1})
    await db.spaces.update_metadata(made, {"a": 2})
    assert (await db._core.present(made)).metadata == {"a": 2}
    ghost = Space(77, "ghost", made.created_at)
    for missing, named in ((ghost, "ghost"), (77, 77), ("ghost", "ghost")):
        with pytest.raises(SpaceNotFoundError) as caught:
            await db._core.present(missing)
        assert caught.value.space == named


async def test_default_is_looked_for_until_it_has_its_row_and_then_no_more(db):
    store = await db.content_store("default", counter())
    assert store.space.space_id == 0
    assert (await db._core.resolve(store.space)).space_id == 0
    await store.execute(add)
    saved = await db._core.resolve(store.space)
    assert saved.space_id > 0
    async with counted(db) as calls:
        assert await db._core.resolve(store.space) == saved
    assert calls.texts == []


async def test_a_row_of_default_that_another_made_is_found(durable_url):
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        store = await here.content_store("default", counter())
        assert await store.pstate.get("n") is None
        await (await there.content_store("default", counter())).execute(add)
        assert await store.pstate.fetch("n") == 1
        assert (await store.execute(add)).space_sequence == 2


async def test_a_space_is_a_space_a_name_or_an_id(db):
    for wrong in (None, 1.5, b"acme", True, False, ["acme"], -1, 2**63):
        with pytest.raises(DataError) as caught:
            await db._core.resolve(wrong)
        assert caught.value.value == wrong


def test_the_clock_is_in_utc_microseconds():
    assert 1_700_000_000_000_000 < utc_micros() < 5_000_000_000_000_000
