"""The nineteen tests that the paper on spaces names, and the few that its code had besides.

Each keeps its name; its docstring says what it means here.
"""

import pytest

import ramax
import ramax.storage.spaces
from ramax import MisuseError, SpaceNameError, SpaceNotEmptyError


async def put(db, space, key, value):
    await db.call({"type": "kv_put", "space": space, "key": key, "value": value})


async def names(db):
    return (await db.call({"type": "spaces_list"}))["spaces"]


async def test_default_space_on_open(db):
    """A database is opened, and there is a space `default` to work in, without creating it."""
    store = await db.content_store()
    assert store.space.space_name == "default"
    await store.kv.put("k", 1)
    assert await store.kv.get("k") == 1


async def test_set_space_creates_if_not_exists(db):
    """Opening a space makes it at once; a view of it (`at`) makes it by its first write."""
    await db.content_store("opened")
    view = (await db.content_store()).at("viewed")
    assert await names(db) == ["default", "opened"]
    await view.kv.put("k", 1)
    assert await names(db) == ["default", "opened", "viewed"]


@pytest.mark.parametrize("name", ["", "Upper", "1digit", "a b", "a/b", "ü", "x" * 65, "_system_x"])
async def test_set_space_invalid_name_rejected(db, name):
    """A name that breaks the rule makes no space, however it is given."""
    for attempt in (
        lambda: db.content_store(name),
        lambda: put(db, name, "k", 1),
        lambda: db.call({"type": "spaces_create", "space": name}),
    ):
        with pytest.raises(SpaceNameError) as caught:
            await attempt()
        assert caught.value.code == "data.space_name"
    assert await names(db) == ["default"]


async def test_list_spaces_includes_default(db):
    """`default` is in the list from the start."""
    assert await names(db) == ["default"]
    assert [s.space_name for s in await db.spaces.list_all()] == ["default"]


async def test_list_spaces_excludes_system(db):
    """Spaces of ramax itself are not listed, and nobody else can make one."""
    await db._core.locked(
        "a test", lambda ex: ramax.storage.spaces.create(ex, "_system_x", None, 0)
    )
    assert await names(db) == ["default"]
    with pytest.raises(SpaceNameError):
        await db.spaces.create("_system_y")


async def test_delete_space_empty(db):
    """A space that never held anything can be deleted."""
    await db.content_store("empty")
    await db.spaces.delete("empty")
    assert await names(db) == ["default"]


async def test_delete_space_non_empty_fails(db):
    """One that held something cannot, and nothing of it is gone."""
    await put(db, "full", "k", 1)
    with pytest.raises(SpaceNotEmptyError) as caught:
        await db.spaces.delete("full")
    assert caught.value.code == "not_empty.space"
    assert await (await db.content_store("full")).kv.get("k") == 1


async def test_delete_space_force(db):
    """By force it goes with everything, and a space of that name is a new one."""
    await put(db, "full", "k", 1)
    await db.spaces.delete("full", force=True)
    assert await names(db) == ["default"]
    assert await (await db.content_store("full")).kv.get("k") is None


async def test_delete_default_space_fails(db):
    """`default` stays, by force as well."""
    await put(db, "default", "k", 1)
    for force in (False, True):
        with pytest.raises(MisuseError):
            await db.spaces.delete("default", force=force)
    assert await (await db.content_store()).kv.get("k") == 1


async def two(db):
    return await db.content_store("one"), await db.content_store("two")


async def test_kv_isolation_across_spaces(db):
    """A key of one space is not in the other, whether read, listed, counted or deleted."""
    one, other = await two(db)
    await one.kv.put_many({"k": 1, "only": 1})
    await other.kv.put("k", 2)
    assert (await one.kv.get("k"), await other.kv.get("k")) == (1, 2)
    assert await other.kv.get("only") is None
    assert await other.kv.list() == ["k"]
    assert await other.kv.delete("only") is False
    await other.kv.delete("k")
    assert await one.kv.list() == ["k", "only"]


async def test_event_isolation_across_spaces(db):
    """Each log counts for itself; one that was not written to has length 0."""
    one, other = await two(db)
    await one.log.append("t", {"n": 1})
    assert await other.log.len() == 0
    assert (await other.log.append("t", {"n": 2})).sequence == 1
    assert [e.payload for e in await one.log.range()] == [{"n": 1}]
    assert [e.payload for e in await other.log.range()] == [{"n": 2}]


async def test_state_isolation_across_spaces(db):
    """Cells of one name are two cells, with versions of their own."""
    one, other = await two(db)
    await one.state.set("c", 1)
    await one.state.set("c", 2)
    assert await other.state.get("c") is None
    assert (await other.state.cas("c", 9, None)).version == 1
    assert (await one.state.entry("c")).version == 2


async def test_json_isolation_across_spaces(db):
    """Documents of one key are two documents."""
    one, other = await two(db)
    await one.json.set("d", {"a": 1})
    assert await other.json.get("d") is None
    await other.json.set("d", 2, "$.a")
    assert await one.json.get("d") == {"a": 1}


async def test_vector_isolation_across_spaces(db):
    """Collections of one name are two, and a search finds its own only."""
    one, other = await two(db)
    await one.vectors.create_collection("c", 2)
    await one.vectors.upsert("c", "secret", [1, 0])
    assert await other.vectors.list_collections() == []
    await other.vectors.create_collection("c", 3)
    assert await other.vectors.search("c", [1, 0, 0]) == []
    assert [m.key for m in await one.vectors.search("c", [1, 0])] == ["secret"]


async def test_cross_space_transaction(db):
    """Writes to two spaces are both committed, or neither; a transaction reads what it wrote."""
    async with db.transaction("billing", "api-logs") as tx:
        await tx.at("billing").kv.put("credits", 99)
        await tx.at("api-logs").log.append("api_call", {"tokens": 150})
        assert await tx.at("billing").kv.get("credits") == 99
    billing, logs = await db.content_store("billing"), await db.content_store("api-logs")
    assert await billing.kv.get("credits") == 99
    assert await logs.log.len() == 1
    with pytest.raises(RuntimeError):
        async with db.transaction("billing", "api-logs") as tx:
            await tx.at("billing").kv.put("credits", 0)
            await tx.at("api-logs").log.append("api_call", {"tokens": 1})
            raise RuntimeError
    assert await billing.kv.get("credits") == 99
    assert await logs.log.len() == 1
    async with db.transaction("billing"):
        with pytest.raises(ramax.NestedTransactionError):
            async with db.transaction("api-logs"):
                pass


async def test_new_handle_starts_on_default_space(db):
    """Whatever others have open, a store that names no space is on `default`."""
    await db.content_store("other")
    assert (await db.content_store()).space.space_name == "default"
    assert (await db.call({"type": "kv_list"})) == {"keys": []}


async def test_set_space_per_handle_isolation(db):
    """A view of another space changes nothing about the store that it was made from."""
    store = await db.content_store("one")
    view = store.at("two")
    await view.kv.put("k", 2)
    await store.kv.put("k", 1)
    assert store.space.space_name == "one"
    assert (await store.kv.get("k"), await view.kv.get("k")) == (1, 2)


async def test_space_survives_restart(durable_url):
    """Spaces and what they hold are there when the database is opened again."""
    async with ramax.connect(durable_url) as db:
        await put(db, "kept", "k", {"v": 1})
        await (await db.content_store("kept")).log.append("t", {})
    async with ramax.connect(durable_url) as db:
        assert await names(db) == ["default", "kept"]
        store = await db.content_store("kept", create=False)
        assert await store.kv.get("k") == {"v": 1}
        assert (await store.log.append("t", {})).sequence == 2


async def test_backwards_compat_no_space_field_in_command(db):
    """A command without a space is for `default`."""
    await db.call({"type": "kv_put", "key": "k", "value": 1})
    assert await (await db.content_store()).kv.get("k") == 1
    assert (await db.call({"type": "kv_get", "key": "k"}))["value"] == 1
    assert (await db.call({"type": "kv_get", "key": "k", "space": "default"}))["value"] == 1


# -- what its code had besides ------------------------------------------------------------------


async def test_kv_list_scoped_to_space(db):
    """A listing by prefix never crosses into another space."""
    for space in ("a", "b", "default"):
        await put(db, space, f"user:{space}", 1)
    for space in ("a", "b", "default"):
        view = (await db.content_store()).at(space)
        assert await view.kv.list("user:") == [f"user:{space}"]


async def test_kv_delete_scoped_to_space(db):
    """Deleting a key deletes it in that space only."""
    for space in ("a", "b"):
        await put(db, space, "k", 1)
    await db.call({"type": "kv_delete", "space": "a", "key": "k"})
    assert (await db.call({"type": "kv_exists", "space": "b", "key": "k"})) == {"exists": True}


async def test_space_create_validates_name(db):
    """Creating checks the name, and creating again changes nothing."""
    with pytest.raises(SpaceNameError):
        await db.call({"type": "spaces_create", "space": "Bad"})
    for _ in range(2):
        await db.call({"type": "spaces_create", "space": "good"})
    assert await names(db) == ["default", "good"]


async def test_explicit_space_in_command(db):
    """A command names its space; there is no current one that it could change."""
    await put(db, "a", "k", 1)
    assert (await db.call({"type": "kv_get", "key": "k"}))["found"] is False
    assert (await db.call({"type": "kv_get", "key": "k", "space": "a"}))["found"] is True
