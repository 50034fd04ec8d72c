import pytest

from ramax import Ref, field
from ramax.errors import CodecError, SpaceNotEmptyError, SpaceNotFoundError, StorageBusyError
from ramax.storage import spaces
from ramax.storage.executors import CoreExecutor
from ramax.storage.planning import limit_waiting
from tests._domains import documents, put
from tests._merging import took_over
from tests._reading import park
from tests._replicas import came_from, heard_of, postponed, refused
from tests._tables import dump, of_space, without_space
from tests._vectors import copied
from tests.secrets._vaults import OneKey, secrets_of


async def test_a_space_is_created_once_with_its_guard(db):
    made = await db._core.locked("a test", lambda ex: spaces.create(ex, "s", {"a": 1}, 5))
    assert made.metadata == {"a": 1}
    assert await db._core.locked("a test", lambda ex: spaces.create(ex, "s", None, 6)) is None
    assert await db._core.read(lambda ex: spaces.find_by_name(ex, "s")) == made
    assert await db._core.read(lambda ex: spaces.find_by_id(ex, made.space_id)) == made
    guards = (await dump(db))["space_sequences"]
    assert [(g["space_id"], g["last_sequence"]) for g in guards] == [(made.space_id, 0)]


async def test_what_is_not_there_is_none(db):
    assert await db._core.read(lambda ex: spaces.find_by_name(ex, "none")) is None
    assert await db._core.read(lambda ex: spaces.find_by_id(ex, 9)) is None
    assert await db._core.locked("a test", lambda ex: spaces.keep(ex, 9)) is None
    assert await db._core.locked("a test", lambda ex: spaces.move_state_version(ex, 9)) is None
    with pytest.raises(SpaceNotFoundError):
        await db._core.locked("a test", lambda ex: spaces.take_lock(ex, 9, "none"))


async def test_a_prefix_is_taken_as_it_stands(db):
    for name in ("crm_b", "crmxa", "crm_a", "cr"):
        await db.spaces.create(name)
    found = await db._core.read(lambda ex: spaces.list_all(ex, "crm_"))
    assert [space.space_name for space in found] == ["crm_b", "crm_a"]
    assert len(await db._core.read(spaces.list_all)) == 4


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
        await refused(db, store.space)
        await postponed(db, store.space)
        await copied(db, store.space.space_id)
    gone = stores[0].space
    before = await dump(db)
    assert set(of_space(before, gone.space_id)) == set(before) - {"branches"}
    with pytest.raises(SpaceNotEmptyError):
        await db._core.locked("a test", lambda ex: spaces.delete(ex, gone, force=False))
    assert await dump(db) == before
    await db._core.locked("a test", lambda ex: spaces.delete(ex, gone, force=True))
    assert await dump(db) == without_space(before, gone.space_id)


async def test_the_state_version_moves_and_the_sequence_does_not(db):
    store = await db.content_store("s", documents())
    await store.execute(put, ("k", {}))

    def move(ex):
        return spaces.move_state_version(ex, store.space.space_id)

    first = await db._core.locked("a test", move)
    second = await db._core.locked("a test", move)
    assert (first[0], second[0]) == (1, 1)
    assert second[1] == first[1] + 1


def test_metadata_that_is_no_mapping_is_refused_and_an_empty_one_is_not_stored():
    assert spaces.pack_metadata({}, "s") is None
    with pytest.raises(CodecError, match="metadata of space 's'"):
        spaces.pack_metadata([1], "s")  # type: ignore[arg-type]


def test_a_name_that_no_database_can_hold_is_told_before_it_is_asked():
    assert spaces.is_storable_name("Ünïcode name")
    assert not spaces.is_storable_name("a\x00b")
    assert not spaces.is_storable_name("\ud800")


@pytest.mark.postgres
async def test_who_keeps_a_space_lets_appends_through_and_no_delete(db_on_postgres):
    db = db_on_postgres
    store = await db.content_store("s", documents())
    space_id, tables = store.space.space_id, db._core.backend.tables

    def delete(ex):
        limit_waiting(ex, 0.01)
        spaces.delete(ex, store.space, force=True)

    async with db.engine.connect() as other:
        head = await other.run_sync(lambda c: spaces.keep(CoreExecutor(c, tables), space_id))
        assert head == 0
        await store.execute(put, ("k", {}))
        with pytest.raises(StorageBusyError):
            await db._core.backend.locked(delete)
