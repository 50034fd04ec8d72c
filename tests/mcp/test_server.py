"""The tools as a client sees them: real clients, on every database."""

import json
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import TextContent, ToolAnnotations

import ramax
from ramax.entry.operations import OPERATIONS
from ramax.entry.operations.answer import TEXT
from ramax.mcp import make_server
from tests.mcp._clients import ask, refused, served


async def test_there_is_a_tool_for_each_operation(db):
    async with Client(make_server(db)) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(listed) == {*OPERATIONS, "set_space", "current_space", "list_spaces"}
    put = listed["kv_put"]
    assert set(put.input_schema["properties"]) == {"key", "value", "space", "branch"}
    assert put.input_schema["required"] == ["key", "value"]
    appends = set(listed["log_append"].input_schema["properties"])
    options = {"idempotency_key", "expected_sequence"}
    assert appends - {"event_type", "payload", "space", "branch"} == options
    hints = {name: tool.annotations or ToolAnnotations() for name, tool in listed.items()}
    assert not hints["kv_put"].read_only_hint
    assert hints["kv_get"].read_only_hint
    assert hints["spaces_delete"].destructive_hint
    assert listed["set_space"].input_schema["required"] == ["space"]
    assert listed["list_spaces"].input_schema["properties"] == {}


async def test_every_data_type_answers_with_structure(db):
    async with Client(make_server(db), mode="legacy") as client:
        assert (await ask(client, "kv_put", key="k", value={"a": [1, "x"]}))["space_sequence"] == 1
        assert await ask(client, "kv_get", key="k") == {"found": True, "value": {"a": [1, "x"]}}
        assert (await ask(client, "log_append", event_type="t", payload={"n": 1}))["sequence"] == 1
        assert (await ask(client, "cells_cas", name="c", value=5))["version"] == 1
        await ask(client, "json_set", key="d", value={"a": 1})
        assert (await ask(client, "json_get", key="d", path="$.a"))["value"] == 1
        await ask(client, "vectors_create_collection", collection="v", dimension=2)
        await ask(client, "vectors_upsert", collection="v", key="near", vector=[1, 0])
        found = await ask(client, "vectors_search", collection="v", vector=[1, 0])
        assert [match["key"] for match in found["matches"]] == ["near"]
        await ask(client, "spaces_enable_search", space="default")
        hits = (await ask(client, "search_text", text="x"))["hits"]
        assert [(hit["type"], hit["key"]) for hit in hits] == [("kv", "k")]
        answer = await client.call_tool("kv_get", {"key": "k"})
        (block,) = answer.content
        assert isinstance(block, TextContent)
        assert json.loads(block.text) == answer.structured_content


FIRST: dict[str, dict[str, Any]] = {
    "set_space": {"space": "s"},
    "current_space": {},
    "list_spaces": {},
    "spaces_list": {},
    "spaces_create": {"space": "other"},
    "spaces_exists": {"space": "other"},
    "spaces_stats": {"space": "s"},
    "spaces_enable_search": {"space": "s", "mode": "async"},
    "spaces_index_texts": {"space": "s"},
    "kv_put": {"key": "k", "value": {"a": [1, "x", None, {"$date": "2026-05-01"}]}},
    "kv_put_many": {"values": {"l": 1, "m": {"$bytes": "AAE="}}},
    "kv_get": {"key": "m"},
    "kv_get_many": {"keys": ["k", "l", "never"]},
    "kv_exists": {"key": "k"},
    "kv_delete": {"key": "l"},
    "kv_delete_many": {"keys": ["m", "never"]},
    "kv_list": {},
    "kv_count": {},
    "kv_history": {"key": "l"},
    "log_append": {"event_type": "$date", "payload": {"d": {"$date": "2026-05-01"}}},
    "log_append_many": {"entries": [{"event_type": "t", "payload": {"n": 1.5}}]},
    "log_get": {"sequence": 1},
    "log_range": {},
    "log_range_by_time": {"start": "2020-01-01T00:00:00Z"},
    "log_len": {},
    "log_types": {},
    "log_verify": {},
    "cells_set": {"name": "c", "value": None},
    "cells_init": {"name": "c", "value": 1},
    "cells_cas": {"name": "c", "value": 2, "expected_version": 1},
    "cells_get": {"name": "c"},
    "cells_delete": {"name": "c"},
    "cells_list": {},
    "cells_history": {"name": "c"},
    "json_set": {"key": "d", "value": {"a": 1, "b": None}},
    "json_cas": {"key": "e", "value": [1]},
    "json_merge": {"key": "d", "patch": {"c": 2}},
    "json_patch": {"key": "d", "operations": [{"op": "remove", "path": "/c"}]},
    "json_get": {"key": "d", "path": "$.b"},
    "json_query": {"key": "d", "path": "$.*"},
    "json_list": {},
    "json_count": {},
    "json_create_index": {"field": "$.a"},
    "json_indexes": {},
    "json_find": {"field": "$.a", "op": "gte", "value": 0},
    "json_drop_index": {"field": "$.a"},
    "json_delete": {"key": "d"},
    "json_history": {"key": "d"},
    "vectors_create_collection": {"collection": "v", "dimension": 2},
    "vectors_list_collections": {},
    "vectors_upsert": {"collection": "v", "key": "a", "vector": [1, 0.5], "metadata": {"n": 1}},
    "vectors_upsert_many": {"collection": "v", "vectors": [{"key": "b", "vector": [3e38, 3e38]}]},
    "vectors_get": {"collection": "v", "key": "a"},
    "vectors_list": {"collection": "v"},
    "vectors_count": {"collection": "v"},
    "vectors_search": {"collection": "v", "vector": [3e38, 3e38]},
    "search_text": {"text": "x"},
    "text_append": {"name": "t", "text": "ab😀"},
    "text_insert": {"name": "t", "position": 1, "text": "x"},
    "text_delete": {"name": "t", "position": 0, "length": 1},
    "text_replace": {"name": "t", "position": 0, "length": 1, "text": "y"},
    "text_set": {"name": "t", "text": "yb😀!"},
    "text_get": {"name": "t"},
    "text_info": {"name": "t"},
    "tree_create": {"tree": "t", "node": "a", "properties": {"x": 1}},
    "tree_move": {"tree": "t", "node": "a", "parent": "root", "first": True},
    "tree_set": {"tree": "t", "node": "a", "properties": {"y": None}},
    "tree_rename": {"tree": "t", "node": "a", "name": "A"},
    "tree_unset": {"tree": "t", "node": "a", "names": ["x"]},
    "tree_delete": {"tree": "t", "node": "a"},
    "tree_restore": {"tree": "t", "node": "a"},
    "tree_get": {"tree": "t", "node": "a"},
    "tree_children": {"tree": "t"},
    "tree_path": {"tree": "t", "node": "a"},
    "tree_count": {"tree": "t"},
    "branch_create": {"name": "empty"},
    "branch_fork": {"name": "trial"},
    "branch_list": {},
    "branch_diff": {"left": "main", "right": "trial", "include_unchanged": True},
    "branch_preview_merge": {"source": "trial"},
    "branch_merge": {"source": "trial"},
    "branch_rebase": {"branch": "trial"},
    "branch_rename": {"name": "trial", "new_name": "tried"},
    "branch_delete": {"name": "tried"},
    "spaces_promote": {"source": "s", "target": "other", "data": {"kv": ["k"]}},
    "spaces_clone": {"source": "other", "space": "copy"},
    "vectors_delete": {"collection": "v", "key": "a"},
    "vectors_delete_collection": {"collection": "v"},
    "spaces_disable_search": {"space": "s"},
    "spaces_delete": {"space": "s", "force": True},
}
"""A call of each tool that finds something, in this order."""

NOTHING_THERE: dict[str, dict[str, Any]] = {
    "kv_get": {"key": "never"},
    "log_get": {"sequence": 9},
    "log_append_many": {"entries": []},
    "cells_get": {"name": "never"},
    "cells_init": {"name": "c", "value": 2},
    "json_get": {"key": "never"},
    "vectors_get": {"collection": "v", "key": "never"},
}


async def test_every_answer_is_what_the_schema_of_its_tool_says(db):
    async with Client(make_server(db), mode="legacy") as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(FIRST) == set(listed)
        told = {name: (tool.output_schema or {})["required"] for name, tool in listed.items()}
        for tool, given in FIRST.items():
            found = await ask(client, tool, **given)
            assert list(found) == told[tool], tool
        await ask(client, "cells_set", name="c", value=1)
        await ask(client, "vectors_create_collection", collection="v", dimension=2)
        for tool, given in NOTHING_THERE.items():
            await ask(client, tool, **given)


async def test_a_client_notices_an_answer_that_does_not_fit(db, monkeypatch):
    operation = replace(OPERATIONS["kv_count"], answer={"count": TEXT})
    monkeypatch.setitem(OPERATIONS, "kv_count", operation)
    async with Client(make_server(db)) as client:
        with pytest.raises(RuntimeError, match="Invalid structured content"):
            await client.call_tool("kv_count", {})


async def test_a_repeat_with_the_same_key_is_not_written_again(db):
    async with Client(make_server(db)) as client:
        given: dict[str, Any] = {"event_type": "t", "payload": {}, "idempotency_key": "once"}
        first = await ask(client, "log_append", **given)
        assert await ask(client, "log_append", **given) == first
        assert await ask(client, "log_len") == {"length": 1}
        error = await refused(client, "kv_put", key="k", value=1, idempotency_key="once")
        assert error["code"] == "data"


async def test_values_that_json_lacks_travel_in_their_form(db):
    async with Client(make_server(db)) as client:
        await ask(client, "kv_put", key="day", value={"$date": "2026-05-01"})
        assert (await ask(client, "kv_get", key="day"))["value"] == {"$date": "2026-05-01"}


async def test_the_active_space_is_used_unless_another_one_is_given(db):
    async with Client(make_server(db), mode="legacy") as client:
        assert await ask(client, "current_space") == {"space": "default"}
        assert await ask(client, "set_space", space="work") == {"space": "work"}
        await ask(client, "kv_put", key="k", value="at work")
        await ask(client, "kv_put", key="k", value="at home", space="home")
        assert await ask(client, "current_space") == {"space": "work"}
        assert (await ask(client, "kv_get", key="k"))["value"] == "at work"
        assert (await ask(client, "kv_get", key="k", space="home"))["value"] == "at home"
        assert not (await ask(client, "kv_get", key="k", space="default"))["found"]
        assert await ask(client, "list_spaces") == {"spaces": ["default", "home", "work"]}


async def test_sessions_over_http_have_a_space_each(db):
    async with (
        served(db) as url,
        Client(url, mode="legacy") as one,
        Client(url, mode="legacy") as two,
    ):
        await ask(one, "set_space", space="of-one")
        await ask(two, "set_space", space="of-two")
        await ask(one, "kv_put", key="k", value=1)
        assert not (await ask(two, "kv_get", key="k"))["found"]
        assert await ask(one, "current_space") == {"space": "of-one"}
        assert await ask(two, "current_space") == {"space": "of-two"}


async def test_a_connection_without_a_session_names_the_space_each_time(db):
    async with served(db) as url, Client(url) as client:
        error = await refused(client, "set_space", space="new")
        assert (error["code"], "space" in error["message"]) == ("misuse", True)
        assert await ask(client, "list_spaces") == {"spaces": ["default"]}
        await ask(client, "kv_put", key="k", value=1, space="new")
        assert (await ask(client, "kv_get", key="k", space="new"))["found"]
        assert await ask(client, "current_space") == {"space": "default"}


@pytest.mark.parametrize(
    ("tool", "given", "code"),
    [
        ("kv_put", {"key": "", "value": 1}, "data"),
        ("kv_put", {"key": "k"}, "data"),
        ("kv_put", {"key": "k", "value": 1, "more": 2}, "data"),
        ("kv_put", {"key": 7, "value": 1}, "data"),
        ("kv_put", {"key": "k", "value": 1, "space": "Bad Name"}, "data.space_name"),
        ("cells_cas", {"name": "c", "value": 1, "expected_version": 4}, "conflict.version"),
        ("vectors_search", {"collection": "no", "vector": [1]}, "not_found.collection"),
        ("search_text", {"text": "x"}, "misuse.search_disabled"),
        ("spaces_delete", {"space": "missing"}, "not_found.space"),
        ("set_space", {"space": "Bad Name"}, "data.space_name"),
        ("set_space", {}, "data"),
        ("list_spaces", {"space": "x"}, "data"),
    ],
)
async def test_an_error_says_its_code_and_nothing_is_written(db, tool, given, code):
    await (await db.content_store()).kv.put("there", 1)
    async with Client(make_server(db), mode="legacy") as client:
        error = await refused(client, tool, **given)
    assert error["code"] == code
    assert error["message"]
    assert type(error["retryable"]) is bool
    assert await db.events.get_latest_event_id() == 1
    assert len(await db.spaces.list_all()) == 1


async def test_an_unknown_tool_is_an_error_of_the_protocol(db):
    async with Client(make_server(db)) as client:
        with pytest.raises(MCPError, match="no tool"):
            await client.call_tool("drop_everything", {})


async def test_a_reading_server_changes_nothing(durable_url):
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("s")).kv.put("k", 1)
    async with (
        ramax.connect(durable_url, read_only=True) as db,
        Client(make_server(db, read_only=True, space="s"), mode="legacy") as client,
    ):
        listed = {tool.name for tool in (await client.list_tools()).tools}
        writing = {each.name for each in OPERATIONS.values() if each.writes}
        assert listed & writing == set()
        assert (await ask(client, "kv_get", key="k"))["value"] == 1
        with pytest.raises(MCPError):
            await client.call_tool("kv_put", {"key": "k", "value": 2})
        assert (await refused(client, "set_space", space="new"))["code"] == "not_found.space"
        assert await ask(client, "set_space", space="default") == {"space": "default"}
