import pytest

from ramax import Ref, field
from ramax.errors import SpaceNotEmptyError
from ramax.storage import deletion
from tests._domains import documents, put
from tests._merging import took_over
from tests._reading import park
from tests._replicas import came_from, heard_of, looked_back, postponed, refused
from tests._tables import dump, of_space, without_space
from tests._vectors import copied
from tests.secrets._vaults import OneKey, secrets_of


class Note:
    about: Ref | None = field(default=None, index=True)


async def test_deleting_a_space_takes_every_row_of_it_and_none_of_another(db):
    domain = documents()
    domain.entity("note")(Note)
    stores = [await db.content_store(name, domain) for name in ("gone", "kept")]
    for store in stores:
        await db.spaces.enable_hash_chain(store.space)
        await store.execute(put, ("k", {}), idempotency_key="once")
        await db.spaces.enable_search(store.space, fields={"": ["about"]}, mode="async")
        await store.execute(put, ("note:1", {"about": Ref("note:2")}))
        assert [key async for key in store.pstate.referrers("note:2")] == ["note:1"]
        await store.snapshots.take()
        await store.events.append("k", "noted", {}, tags=["x"])
        async with store.subscribe("subscription"):
            await park(db, store.space.space_id, "x")
        await (await secrets_of(db, store.space.space_name, OneKey())).set("secret", 1)
        await took_over(db, store.space.space_id)
        await came_from(db, store.space.space_id)
        await heard_of(db, store.space)
        await looked_back(db, store.space.space_id)
        await refused(db, store.space)
        await postponed(db, store.space)
        await copied(db, store.space.space_id)
    gone = stores[0].space
    before = await dump(db)
    assert set(of_space(before, gone.space_id)) == set(before) - {"branches"}
    with pytest.raises(SpaceNotEmptyError):
        await db._core.locked("a test", lambda ex: deletion.delete(ex, gone, force=False))
    assert await dump(db) == before
    await db._core.locked("a test", lambda ex: deletion.delete(ex, gone, force=True))
    assert await dump(db) == without_space(before, gone.space_id)
