"""Nothing of one space, or of one data type, is seen or changed through another.

The same keys, names and collections are in both spaces; every public method is called for the one.
"""

import inspect

import pytest

from ramax.datatypes import Cells, JsonDocuments, KeyValues, Log, Vectors
from tests._tables import dump, of_space

MINE, THEIRS = "mine", "theirs"
KEYS = ["a", "b", "c"]


async def fill(store, of):
    await store.kv.put_many({key: {"of": of} for key in KEYS})
    await store.log.append_many([("t", {"of": of, "n": n}) for n in range(3)])
    for key in KEYS:
        await store.cells.set(key, {"of": of})
    await store.json.create_index("$.of")
    await store.json.set_many({key: {"of": of} for key in KEYS})
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert_many("c", [(key, [1, n], {"of": of}) for n, key in enumerate(KEYS)])


async def drain(stream):
    return [each async for each in stream]


MATRIX = {
    KeyValues: {
        "put": lambda s: s.kv.put("a", {"of": MINE, "n": 1}),
        "put_many": lambda s: s.kv.put_many({"a": 1, "new": 2}),
        "get": lambda s: s.kv.get("a"),
        "get_many": lambda s: s.kv.get_many(KEYS),
        "exists": lambda s: s.kv.exists("a"),
        "delete": lambda s: s.kv.delete("a"),
        "delete_many": lambda s: s.kv.delete_many(KEYS),
        "list": lambda s: s.kv.list(),
        "iter": lambda s: drain(s.kv.iter()),
        "count": lambda s: s.kv.count(),
        "history": lambda s: s.kv.history("a"),
    },
    Log: {
        "append": lambda s: s.log.append("t", {"of": MINE}),
        "append_many": lambda s: s.log.append_many([("t", {})] * 2),
        "get": lambda s: s.log.get(1),
        "range": lambda s: s.log.range()._all(),
        "range_by_time": lambda s: by_time(s),
        "len": lambda s: s.log.len(),
        "types": lambda s: s.log.types(),
        "verify": lambda s: s.log.verify(),
    },
    Cells: {
        "set": lambda s: s.cells.set("a", 1),
        "init": lambda s: s.cells.init("new", 1),
        "cas": lambda s: s.cells.cas("a", 2, 1),
        "transition": lambda s: s.cells.transition("a", lambda value: value),
        "get": lambda s: s.cells.get("a"),
        "entry": lambda s: s.cells.entry("a"),
        "delete": lambda s: s.cells.delete("a"),
        "exists": lambda s: s.cells.exists("a"),
        "list": lambda s: s.cells.list(),
        "count": lambda s: s.cells.count(),
        "history": lambda s: s.cells.history("a"),
    },
    JsonDocuments: {
        "set": lambda s: s.json.set("a", 1, "$.n"),
        "set_many": lambda s: s.json.set_many({"a": 1}),
        "cas": lambda s: s.json.cas("a", 1, 1),
        "merge": lambda s: s.json.merge("a", {"n": 1}),
        "patch": lambda s: s.json.patch("a", [{"op": "add", "path": "/n", "value": 1}]),
        "delete": lambda s: s.json.delete("a"),
        "get": lambda s: s.json.get("a"),
        "query": lambda s: s.json.query("a", "$..*"),
        "entry": lambda s: s.json.entry("a"),
        "get_many": lambda s: s.json.get_many(KEYS),
        "exists": lambda s: s.json.exists("a"),
        "iter": lambda s: drain(s.json.iter()),
        "list": lambda s: s.json.list(),
        "count": lambda s: s.json.count(),
        "history": lambda s: s.json.history("a"),
        "create_index": lambda s: s.json.create_index("$.n"),
        "drop_index": lambda s: s.json.drop_index("$.of"),
        "indexes": lambda s: s.json.indexes(),
        "find": lambda s: s.json.find("$.of", "ne", ""),
    },
    Vectors: {
        "create_collection": lambda s: s.vectors.create_collection("new", 2),
        "delete_collection": lambda s: s.vectors.delete_collection("c"),
        "collection": lambda s: s.vectors.collection("c"),
        "list_collections": lambda s: s.vectors.list_collections(),
        "upsert": lambda s: s.vectors.upsert("c", "a", [1, 1], {"of": MINE}),
        "upsert_many": lambda s: s.vectors.upsert_many("c", [("a", [1, 1])]),
        "get": lambda s: s.vectors.get("c", "a"),
        "get_many": lambda s: s.vectors.get_many("c", KEYS),
        "delete": lambda s: s.vectors.delete("c", "a"),
        "delete_many": lambda s: s.vectors.delete_many("c", KEYS),
        "list": lambda s: s.vectors.list("c"),
        "count": lambda s: s.vectors.count("c"),
        "search": lambda s: s.vectors.search("c", [1, 0]),
    },
}
CASES = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind, verbs in MATRIX.items()
    for name in verbs
]


async def by_time(store):
    first = (await store.log.get(1)).timestamp
    return await store.log.range_by_time(first)


@pytest.mark.parametrize("kind", MATRIX, ids=lambda kind: kind.__name__)
def test_every_public_method_is_in_the_matrix(kind):
    public = {n for n, _ in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")}
    assert public == set(MATRIX[kind])


@pytest.mark.parametrize("view", ["store", "view", "transaction"])
async def test_no_method_shows_or_changes_another_space(db, view):
    """One pair of spaces for all methods: a pair for each would take minutes."""
    theirs, mine = await db.content_store(THEIRS), await db.content_store(MINE)
    await fill(theirs, THEIRS)
    before = await dump(db)
    for kind, verbs in MATRIX.items():
        for name, verb in verbs.items():
            await db.spaces.delete(MINE, force=True)
            mine = await db.content_store(MINE)
            await fill(mine, MINE)
            try:
                if view == "transaction":
                    async with db.transaction(mine) as tx:
                        answer = await verb(tx)
                else:
                    answer = await verb(mine if view == "store" else theirs.at(MINE))
                assert THEIRS not in repr(answer)
                after = await dump(db)
                assert of_space(after, theirs.space.space_id) == of_space(
                    before, theirs.space.space_id
                )
            except BaseException as error:
                error.add_note(f"in {kind.__name__}.{name}")
                raise


async def test_no_data_type_shows_or_changes_another(db):
    store = await db.content_store(MINE)
    await fill(store, MINE)
    await store.kv.delete_many(KEYS)
    assert await store.cells.list() == KEYS
    assert await store.json.list() == KEYS
    assert await store.vectors.list("c") == KEYS
    assert await store.log.len() == 3
    await store.vectors.delete_collection("c")
    await store.json.drop_index("$.of")
    for key in KEYS:
        await store.cells.delete(key)
        await store.json.delete(key)
    assert await store.log.len() == 3
    assert await store.kv.list() == []
    assert await store.pstate.count() == 0


async def test_a_deleted_space_takes_everything_and_nothing_else_with_it(db):
    theirs, mine = await db.content_store(THEIRS), await db.content_store(MINE)
    for store, of in ((theirs, THEIRS), (mine, MINE)):
        await fill(store, of)
    before = await dump(db)
    await db.spaces.delete(MINE, force=True)
    after = await dump(db)
    assert of_space(after, mine.space.space_id) == {}
    assert of_space(after, theirs.space.space_id) == of_space(before, theirs.space.space_id)
