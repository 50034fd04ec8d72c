"""`db.pstate`: stored values of any space."""

import pytest

from ramax.errors import SpaceNotFoundError
from tests._domains import documents, put


async def keys(stream):
    return [key async for key, _ in stream]


async def test_the_repository_reads_any_space(db):
    store = await db.content_store("acme", documents())
    await store.execute(put, ("a", {"x": 1}))
    for space in (store.space, store.space.space_id, "acme"):
        assert await db.pstate.get(space, "a") == {"x": 1}
        assert await db.pstate.get(space, "b", 5) == 5
        assert await db.pstate.get_many(space, ["a", "b"]) == {"a": {"x": 1}}
        assert await keys(db.pstate.scan(space)) == ["a"]
        assert await keys(db.pstate.scan(space, "b")) == []


async def test_a_space_that_is_not_there_is_an_error_with_every_verb(db):
    for attempt in (
        lambda: db.pstate.get("nowhere", "k"),
        lambda: db.pstate.get_many("nowhere", ["k"]),
        lambda: db.pstate.put("nowhere", "k", 1),
        lambda: db.pstate.delete("nowhere", "k"),
        lambda: keys(db.pstate.scan("nowhere")),
    ):
        with pytest.raises(SpaceNotFoundError):
            await attempt()
