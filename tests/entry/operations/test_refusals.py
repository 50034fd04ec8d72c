"""What is wrong is refused with the same class and code by each way in, and nothing is written."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from mcp import Client

from ramax.core.limits import MAX_KEY_BYTES, MAX_PAYLOAD_BYTES
from ramax.errors import (
    CodecError,
    CollectionNotFoundError,
    DataError,
    JsonPatchError,
    JsonPathError,
    PatchTestError,
    RamaxError,
    SpaceNameError,
    VectorError,
)
from ramax.mcp import make_server
from tests._tables import dump
from tests.cli.command import fail
from tests.mcp._clients import refused

BIG = "x" * (MAX_PAYLOAD_BYTES + 1)
LONG = "k" * (MAX_KEY_BYTES + 1)
Verb = Callable[[Any], Awaitable[Any]]
"""Of a store, or of a transaction: both have the same clients."""


class Case(NamedTuple):
    """The same wrong wish as a method and as an operation, and what it must be refused with."""

    method: Verb
    operation: str
    arguments: dict[str, Any]
    error: type[RamaxError]
    code: str


def vector(method: Verb, operation: str, **arguments: Any) -> Case:
    return Case(method, f"vectors_{operation}", arguments, VectorError, "data.vector")


def path(method: Verb, operation: str, **arguments: Any) -> Case:
    return Case(method, f"json_{operation}", arguments, JsonPathError, "data.json_path")


def patch(error: type[RamaxError], code: str, *operations: dict[str, Any]) -> Case:
    given = list(operations)
    return Case(
        lambda s: s.json.patch("d", given),
        "json_patch",
        {"key": "d", "operations": given},
        error,
        code,
    )


def big(method: Verb, operation: str, **arguments: Any) -> Case:
    return Case(method, operation, arguments, CodecError, "data.codec")


def name(method: Verb, operation: str, **arguments: Any) -> Case:
    return Case(method, operation, arguments, DataError, "data")


CASES = {
    "a vector of another dimension": vector(
        lambda s: s.vectors.upsert("v", "k", [1, 2, 3]),
        "upsert", collection="v", key="k", vector=[1, 2, 3],
    ),
    "one of several vectors": vector(
        lambda s: s.vectors.upsert_many("v", [("a", [1, 2], None), ("b", [1], None)]),
        "upsert_many", collection="v",
        vectors=[{"key": "a", "vector": [1, 2]}, {"key": "b", "vector": [1]}],
    ),
    "a search of another dimension": vector(
        lambda s: s.vectors.search("v", [1]), "search", collection="v", vector=[1]
    ),
    "NaN in a vector": vector(
        lambda s: s.vectors.upsert("v", "k", [math.nan, 0]),
        "upsert", collection="v", key="k", vector=[math.nan, 0],
    ),
    "infinity in a vector": vector(
        lambda s: s.vectors.upsert("v", "k", [math.inf, 0]),
        "upsert", collection="v", key="k", vector=[math.inf, 0],
    ),
    "NaN in a search": vector(
        lambda s: s.vectors.search("v", [math.nan, 0]),
        "search", collection="v", vector=[math.nan, 0],
    ),
    "an unknown metric": vector(
        lambda s: s.vectors.create_collection("w", 2, "manhattan"),
        "create_collection", collection="w", dimension=2, metric="manhattan",
    ),
    "no dimension": vector(
        lambda s: s.vectors.create_collection("w", 0),
        "create_collection", collection="w", dimension=0,
    ),
    "a long name of a collection": vector(
        lambda s: s.vectors.create_collection(LONG, 2),
        "create_collection", collection=LONG, dimension=2,
    ),
    "no such collection": Case(
        lambda s: s.vectors.upsert("none", "k", [1, 2]),
        "vectors_upsert", {"collection": "none", "key": "k", "vector": [1, 2]},
        CollectionNotFoundError, "not_found.collection",
    ),
    "a broken path": path(
        lambda s: s.json.set("d", 1, path="$.a["), "set", key="d", value=1, path="$.a["
    ),
    "a path to several values": path(
        lambda s: s.json.set("d", 1, path="$.*"), "set", key="d", value=1, path="$.*"
    ),
    "a path beyond a list": path(
        lambda s: s.json.set("d", 1, path="$.list[9]"), "set", key="d", value=1, path="$.list[9]"
    ),
    "a path through a number": path(
        lambda s: s.json.set("d", 1, path="$.a.b"), "set", key="d", value=1, path="$.a.b"
    ),
    "a broken path to read": path(
        lambda s: s.json.get("d", path="nope"), "get", key="d", path="nope"
    ),
    "a broken path to delete": path(
        lambda s: s.json.delete("d", path="$["), "delete", key="d", path="$["
    ),
    "a broken query": path(lambda s: s.json.query("d", "$[?"), "query", key="d", path="$[?"),
    "a broken field of an index": path(
        lambda s: s.json.create_index("$["), "create_index", field="$["
    ),
    "a patch that fails its test": patch(
        PatchTestError, "conflict.patch_test",
        {"op": "add", "path": "/z", "value": 1}, {"op": "test", "path": "/a", "value": 2},
    ),
    "an unknown operation of a patch": patch(
        JsonPatchError, "data.json_patch", {"op": "no", "path": "/z"}
    ),
    "a patch of what is not there": patch(
        JsonPatchError, "data.json_patch",
        {"op": "add", "path": "/z", "value": 1}, {"op": "remove", "path": "/nope"},
    ),
    "a broken pointer": patch(
        JsonPatchError, "data.json_patch", {"op": "add", "path": "z", "value": 1}
    ),
    "NaN in a document": name(
        lambda s: s.json.set("d", {"a": math.nan}), "json_set", key="d", value={"a": math.nan}
    ),
    "NaN in a merge": name(
        lambda s: s.json.merge("d", {"a": math.nan}), "json_merge", key="d", patch={"a": math.nan}
    ),
    "an oversized value": big(lambda s: s.kv.put("k", BIG), "kv_put", key="k", value=BIG),
    "one of several values": big(
        lambda s: s.kv.put_many({"a": 1, "b": BIG}), "kv_put_many", values={"a": 1, "b": BIG}
    ),
    "one of several entries": big(
        lambda s: s.log.append_many([("t", {}), ("t", {"x": BIG})]),
        "log_append_many",
        entries=[{"event_type": "t", "payload": {}}, {"event_type": "t", "payload": {"x": BIG}}],
    ),
    "an oversized cell": big(
        lambda s: s.cells.set("c", BIG), "cells_set", name="c", value=BIG
    ),
    "an oversized document": big(
        lambda s: s.json.set("e", BIG), "json_set", key="e", value=BIG
    ),
    "text that is no text": big(
        lambda s: s.kv.put("k", "\ud800"), "kv_put", key="k", value="\ud800"
    ),
    "a long key": name(lambda s: s.kv.put(LONG, 1), "kv_put", key=LONG, value=1),
    "an empty key": name(lambda s: s.kv.put("", 1), "kv_put", key="", value=1),
    "NUL in a key": name(lambda s: s.kv.put("a\0b", 1), "kv_put", key="a\0b", value=1),
    "a long type": name(
        lambda s: s.log.append("t" * 256, {}), "log_append", event_type="t" * 256, payload={}
    ),
    "an empty type": name(lambda s: s.log.append("", {}), "log_append", event_type="", payload={}),
    "a long cell": name(lambda s: s.cells.set(LONG, 1), "cells_set", name=LONG, value=1),
    "a long document": name(lambda s: s.json.set(LONG, 1), "json_set", key=LONG, value=1),
    "a long key of a vector": name(
        lambda s: s.vectors.upsert("v", LONG, [1, 2]),
        "vectors_upsert", collection="v", key=LONG, vector=[1, 2],
    ),
}  # fmt: skip

NOT_IN_JSON = {"infinity in a vector", "text that is no text"}


def travels(case: str) -> bool:
    """Whether a client can ask for it: JSON has no NaN, and what is too large takes long."""
    wrong = CASES[case]
    return case not in NOT_IN_JSON and "NaN" not in case and wrong.error is not CodecError


@pytest.fixture
async def store(db):
    made = await db.content_store("s")
    await made.vectors.create_collection("v", 2)
    await made.json.set("d", {"a": 1, "list": []})
    await made.kv.put("k", "before")
    return made


@pytest.mark.parametrize("case", CASES)
async def test_what_is_wrong_is_refused_and_nothing_is_written(db, store, case):
    wrong = CASES[case]
    before, head = await dump(db), await store.events.get_space_latest_sequence()
    with pytest.raises(wrong.error) as by_method:
        await wrong.method(store)
    with pytest.raises(wrong.error) as by_name:
        await db.call({"type": wrong.operation, "space": "s", **wrong.arguments})
    for raised in (by_method.value, by_name.value):
        assert type(raised) is wrong.error
        assert (raised.code, raised.retryable) == (wrong.code, False)
    if travels(case):
        async with Client(make_server(db)) as client:
            said = await refused(client, wrong.operation, space="s", **wrong.arguments)
        assert said["code"] == wrong.code
    assert await store.events.get_space_latest_sequence() == head
    assert await dump(db) == before
    async with store.transaction() as tx:  # in a transaction too, which goes on
        with pytest.raises(wrong.error):
            await wrong.method(tx)
    assert await dump(db) == before


NAMES = ["", "Bad", "_system_x", "x" * 65, "1a", "a b", "ü", "a/b", "a\0b"]


@pytest.mark.parametrize("bad", NAMES)
async def test_a_name_that_no_space_may_have_is_refused_by_each_way_in(db, store, bad):
    async def in_a_transaction() -> None:
        async with db.transaction(bad):
            pass

    before = await dump(db)
    ways = [
        lambda: db.spaces.create(bad),
        lambda: db.spaces.get_or_create(bad),
        lambda: db.spaces.rename("s", bad),
        lambda: db.spaces.clone("s", bad),
        lambda: db.content_store(bad),
        lambda: store.at(bad).kv.put("k", 1),
        in_a_transaction,
        lambda: db.call({"type": "spaces_create", "space": bad}),
        lambda: db.call({"type": "kv_put", "space": bad, "key": "k", "value": 1}),
    ]
    for way in ways:
        with pytest.raises(SpaceNameError) as raised:
            await way()
        assert raised.value.code == "data.space_name"
    async with Client(make_server(db), mode="legacy") as client:
        for tool, given in (("set_space", {}), ("kv_put", {"key": "k", "value": 1})):
            said = await refused(client, tool, space=bad, **given)
            assert said["code"] == "data.space_name"
    assert await dump(db) == before


COMMANDS = {
    "a vector of another dimension": ["vectors", "upsert", "v", "k", "[1, 2, 3]"],
    "an unknown metric": ["vectors", "create-collection", "w", "2", "--metric", "manhattan"],
    "a broken path": ["json", "set", "d", "1", "--path", "$.a["],
    "a patch that fails its test": [
        "json", "patch", "d", json.dumps([{"op": "test", "path": "/a", "value": 2}])
    ],
    "a long key": ["kv", "put", LONG, "1"],
}  # fmt: skip


@pytest.mark.parametrize("case", COMMANDS)
async def test_the_command_line_says_what_the_method_says(durable_db, durable_url, case):
    db = durable_db
    made = await db.content_store("s")
    await made.vectors.create_collection("v", 2)
    await made.json.set("d", {"a": 1, "list": []})
    before = await dump(db)
    with pytest.raises(CASES[case].error) as raised:
        await CASES[case].method(made)
    said = await asyncio.to_thread(fail, *COMMANDS[case], "--space", "s", "--url", durable_url)
    assert said.partition(": ")[0] in str(raised.value)
    assert await dump(db) == before
