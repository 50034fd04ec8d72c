"""JSON documents: whole and at paths, patched and merged, versions, history, indexes."""

import asyncio

import pytest

from ramax import Commit, DataError, VersionConflictError
from ramax.datatypes import JsonDocument
from ramax.errors import JsonPatchError, JsonPathError, PatchTestError
from tests._each import each
from tests._elsewhere import wrote

DOCUMENT = {"user": {"name": "Ann", "tags": ["a", "b"]}, "n": 1}


async def test_a_document_and_its_parts(store):
    commit = await store.json.set("d", DOCUMENT)
    assert issubclass(type(commit), Commit)
    assert commit.version == 1
    assert await store.json.get("d") == DOCUMENT
    assert await store.json.get("d", "$.user.tags[-1]") == "b"
    assert await store.json.get("d", "$.none.deeper") is None
    assert await store.json.get("none") is None
    assert await store.json.get("none", default=5) == 5
    assert await store.json.entry("d") == JsonDocument("d", DOCUMENT, 1)
    assert await store.json.query("d", "$..tags[*]") == ["a", "b"]
    assert await store.json.query("none", "$..a") == []
    assert await store.json.exists("d", "$.n")
    assert not await store.json.exists("d", "$.m")


async def test_a_value_is_set_at_a_path_and_objects_on_the_way_are_made(store):
    await store.json.set("d", 1, "$.a.b")
    assert await store.json.get("d") == {"a": {"b": 1}}
    await store.json.set("d", {"c": 2}, "$.a.x")
    await store.json.set("d", None, "$.a.b")
    assert await store.json.get("d") == {"a": {"b": None, "x": {"c": 2}}}
    for path in ("$.a.b.c", "$.a[0]", "$[0]"):
        with pytest.raises(JsonPathError):
            await store.json.set("d", 1, path)
    await store.json.set("l", [1, 2])
    await store.json.set("l", 9, "$[1]")
    with pytest.raises(JsonPathError):
        await store.json.set("l", 9, "$[2]")
    assert await store.json.get("l") == [1, 9]


async def test_what_is_set_to_what_it_is_makes_no_event(store):
    await store.json.set("d", DOCUMENT)
    same = await store.json.set("d", 1, "$.n")
    assert (same.events, same.version) == ((), None)
    assert (await store.json.entry("d")).version == 1


async def test_a_document_or_a_part_of_it_is_deleted(store):
    await store.json.set("d", DOCUMENT)
    assert await store.json.delete("d", "$.user.tags[0]") is True
    assert await store.json.delete("d", "$.user.none") is False
    assert await store.json.get("d", "$.user.tags") == ["b"]
    assert await store.json.delete("d") is True
    assert await store.json.delete("d") is False
    assert await store.json.delete("d", "$.n") is False
    assert await store.json.get("d") is None
    assert (await store.json.set("d", 1)).version == 3


async def test_merge(store):
    await store.json.set("d", DOCUMENT)
    await store.json.merge("d", {"user": {"name": None, "age": 5}, "m": [1]})
    assert await store.json.get("d") == {"user": {"tags": ["a", "b"], "age": 5}, "n": 1, "m": [1]}
    await store.json.merge("new", {"a": None, "b": 1})
    assert await store.json.get("new") == {"b": 1}


async def test_a_patch_is_applied_as_a_whole_or_not_at_all(store):
    await store.json.set("d", DOCUMENT)
    done = await store.json.patch(
        "d",
        [
            {"op": "test", "path": "/n", "value": 1},
            {"op": "add", "path": "/user/tags/-", "value": "c"},
            {"op": "move", "from": "/n", "path": "/m"},
        ],
    )
    assert done.version == 2
    assert done.events[0].payload == {
        "changes": [
            ["remove", ["n"]],
            ["splice", ["user", "tags"], 2, 0, ["c"]],
            ["set", ["m"], 1],
        ]
    }
    after = {"user": {"name": "Ann", "tags": ["a", "b", "c"]}, "m": 1}
    assert await store.json.get("d") == after
    with pytest.raises(PatchTestError):
        await store.json.patch(
            "d",
            [
                {"op": "remove", "path": "/m"},
                {"op": "test", "path": "/user/name", "value": "Bob"},
            ],
        )
    with pytest.raises(JsonPatchError):
        await store.json.patch(
            "d", [{"op": "remove", "path": "/m"}, {"op": "remove", "path": "/m"}]
        )
    with pytest.raises(JsonPatchError):
        await store.json.patch("none", [{"op": "add", "path": "/a", "value": 1}])
    assert await store.json.get("d") == after
    assert await store.events.get_space_latest_sequence() == 2


async def test_concurrent_edits_of_one_document_lose_nothing(store):
    await store.json.set("d", {"l": []})
    await asyncio.gather(
        *(store.json.patch("d", [{"op": "add", "path": "/l/-", "value": n}]) for n in range(20))
    )
    assert sorted(await store.json.get("d", "$.l")) == list(range(20))


async def test_compare_and_set(store):
    assert (await store.json.cas("d", {"a": 1}, None)).version == 1
    assert (await store.json.cas("d", {"a": 2}, expected_version=1)).version == 2
    for wrong in (None, 1, 3):
        with pytest.raises(VersionConflictError):
            await store.json.cas("d", {"a": 9}, wrong)
    assert await store.json.get("d") == {"a": 2}


async def test_several_at_once(store):
    await store.json.set_many({"b": 1, "a": {"x": 1}})
    assert await store.json.get_many(["a", "none", "b"]) == {"a": {"x": 1}, "b": 1}
    assert await store.json.list() == ["a", "b"]
    assert await store.json.list(limit=1, after="a") == ["b"]
    assert await store.json.count() == 2
    assert await store.json.count("a") == 1
    assert [pair async for pair in store.json.iter("b")] == [("b", 1)]
    with pytest.raises(DataError):
        await store.json.set_many({"c": 1, "d": float("inf")})
    assert not await store.json.exists("c")


async def test_the_history_of_a_document_has_each_as_it_was(store):
    await store.json.set("d", {"a": [1]})
    await store.json.set("d", 2, "$.b")
    await store.json.delete("d")
    await store.json.set("d", "again")
    found = await store.json.history("d")
    assert [(v.value, v.version, v.deleted) for v in found] == [
        ("again", 3, False),
        (None, None, True),
        ({"a": [1], "b": 2}, 2, False),
        ({"a": [1]}, 1, False),
    ]
    assert await store.json.history("d", limit=2) == found[:2]
    assert await store.json.history("none") == []


async def test_find_by_declared_fields(store):
    await store.json.set_many({f"d{n}": {"age": n, "name": f"n{n}"} for n in range(5)})
    await store.json.set_many({"text": {"age": "3"}, "none": {}, "null": {"age": None}})
    assert await store.json.create_index("$.age") is True
    assert await store.json.create_index("$.age") is False
    await store.json.create_index("$.name")
    assert await store.json.indexes() == ["$.age", "$.name"]

    async def keys(op, value, field="$.age", **options):
        return [key for key, _ in await store.json.find(field, op, value, **options)]

    assert await keys("eq", 3) == ["d3"]
    assert await keys("eq", 3.0) == ["d3"]
    assert await keys("gt", 2) == ["d3", "d4"]
    assert await keys("gte", 2, limit=2) == ["d2", "d3"]
    assert await keys("lt", 2) == ["d0", "d1"]
    assert await keys("lte", 1) == ["d0", "d1"]
    assert await keys("in", [4, 0, "3", 9]) == ["d4", "d0", "text"]
    assert await keys("eq", None) == ["null"]
    assert await keys("eq", True) == []
    assert set(await keys("ne", 3)) == {"d0", "d1", "d2", "d4", "text", "null"}
    assert await keys("gte", "n3", "$.name") == ["d3", "d4"]
    assert (await store.json.find("$.age", "eq", 1))[0][1] == {"age": 1, "name": "n1"}
    await store.json.set("d3", 30, "$.age")
    await store.json.delete("d4")
    assert await keys("gt", 2) == ["d3"]
    await store.rebuild_pstate()
    assert await keys("gt", 2) == ["d3"]
    assert await store.json.drop_index("$.age") is True
    assert await store.json.drop_index("$.age") is False
    with pytest.raises(DataError, match="declared"):
        await keys("eq", 3)


async def test_what_nothing_can_be_found_by_is_refused(store):
    await store.json.create_index("$.a")
    for op, value in (("like", 1), ("in", 1), ("eq", [1]), ("eq", {}), ("in", [[1]])):
        with pytest.raises(DataError):
            await store.json.find("$.a", op, value)
    for field in ("$", "$..a", "a", "$." + "x" * 300):
        with pytest.raises(JsonPathError):
            await store.json.create_index(field)


@each("wrong", [float("nan"), 2**64, (1,), {1: 1}, b"x", object()])
async def test_what_is_not_json_is_refused_and_nothing_written(store, wrong):
    for attempt in (
        lambda: store.json.set("d", wrong),
        lambda: store.json.set("d", {"a": wrong}, "$.a"),
        lambda: store.json.merge("d", {"a": wrong}),
        lambda: store.json.cas("d", wrong, None),
        lambda: store.json.patch("d", [{"op": "add", "path": "", "value": wrong}]),
    ):
        with pytest.raises(DataError):
            await attempt()
    assert await store.events.get_space_latest_sequence() == 0


@each("path", ["", "a", "$.a[", "$..a", "$[*]", 5])
async def test_a_bad_path_is_refused_whether_or_not_there_is_a_document(store, path):
    for attempt in (
        lambda: store.json.get("none", path),
        lambda: store.json.set("none", 1, path),
        lambda: store.json.delete("none", path),
    ):
        with pytest.raises(JsonPathError):
            await attempt()
    assert await store.events.get_space_latest_sequence() == 0


async def test_among_replicas_the_history_of_a_document_is_that_of_its_fold(store):
    await store.replica.enable()
    await store.json.set("d", {"a": 1})
    await store.json.set("d", {"a": 2}, "$.b")
    late = wrote(1, "json.changed", "d", {"changes": [["set", ["a"], 9]]}, 7)
    earlier = wrote(2, "json.set", "d", {"value": {"z": 0}}, 8)
    await store.replica.ingest([late, earlier])
    entry = await store.json.entry("d")
    documents = [each.value for each in await store.json.history("d")]
    assert documents[0] == entry.value == {"a": 1, "b": {"a": 2}}
    assert documents[1:] == [{"a": 1}, {"z": 0}]
