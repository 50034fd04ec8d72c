"""The tools as a client sees them: real clients, on every database."""

import json

import pytest
from mcp import Client, MCPError
from mcp_types import TextContent, ToolAnnotations

import ramax
from ramax.entry.operations import OPERATIONS
from ramax.mcp import make_server
from tests.mcp._clients import ask, refused, served


async def test_there_is_a_tool_for_each_operation(db):
    async with Client(make_server(db)) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(listed) == {*OPERATIONS, "set_space", "current_space", "list_spaces"}
    put = listed["kv_put"]
    assert set(put.input_schema["properties"]) == {"key", "value", "space", "branch"}
    assert put.input_schema["required"] == ["key", "value"]
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
