"""The commands of the data types do what the operations of the same names do."""

import json

import pytest

from ramax.entry.operations import OPERATIONS
from tests.cli.command import fail, on, run, succeed


def ask(url, *arguments):
    return json.loads(succeed(*arguments, "--url", url))


@pytest.fixture
def made_url(durable_url):
    async def nothing(db):
        pass

    on(durable_url, nothing)
    return durable_url


def test_a_value_is_put_and_read_back(made_url):
    assert ask(made_url, "kv", "put", "greeting", '"hello"')["space_sequence"] == 1
    assert ask(made_url, "kv", "get", "greeting") == {"found": True, "value": "hello"}
    assert ask(made_url, "kv", "get", "none") == {"found": False, "value": None}
    assert ask(made_url, "kv", "put", "when", '{"$date": "2024-05-01"}', "--space", "other")
    assert ask(made_url, "kv", "list", "--space", "other") == {"keys": ["when"]}
    assert ask(made_url, "kv", "get", "when", "--space", "other")["value"] == {
        "$date": "2024-05-01"
    }
    assert ask(made_url, "kv", "get-many", "greeting", "none") == {"values": {"greeting": "hello"}}
    assert ask(made_url, "kv", "list", "--limit", "0") == {"keys": []}


def test_every_data_type_has_its_commands(made_url):
    assert ask(made_url, "log", "append", "call", '{"n": 1}')["sequence"] == 1
    assert len(ask(made_url, "log", "range", "--reverse")["entries"]) == 1
    assert ask(made_url, "log", "verify")["valid"]
    assert ask(made_url, "cells", "cas", "c", "5")["version"] == 1
    assert ask(made_url, "cells", "cas", "c", "6", "--expected-version", "1")["version"] == 2
    ask(made_url, "json", "set", "d", '{"a": [1]}')
    assert ask(made_url, "json", "get", "d", "--path", "$.a[0]") == {"found": True, "value": 1}
    ask(made_url, "vectors", "create-collection", "v", "2")
    ask(made_url, "vectors", "upsert", "v", "k", "[1, 0]", "--metadata", '{"l": "en"}')
    [match] = ask(made_url, "vectors", "search", "v", "[1, 0]", "--k", "1")["matches"]
    assert (match["key"], match["metadata"]) == ("k", {"l": "en"})


def test_a_space_is_searched(made_url):
    ask(made_url, "kv", "put", "k", '"green tea"', "--space", "a")
    assert "enable-search" in fail("search", "text", "tea", "--space", "a", "--url", made_url)
    succeed("spaces", "enable-search", "a", "--field", "note:=text", "--url", made_url)
    [hit] = ask(made_url, "search", "text", "tea", "--space", "a")["hits"]
    assert (hit["type"], hit["key"], hit["snippet"]) == ("kv", "k", "k green tea")
    assert "FIELD" in run("spaces", "enable-search", "a", "--field", "x", "--url", made_url).stderr
    succeed("spaces", "disable-search", "a", "--url", made_url)
    fail("search", "text", "tea", "--space", "a", "--url", made_url)


def test_a_reading_command_makes_no_space(made_url):
    assert ask(made_url, "kv", "list", "--space", "new") == {"keys": []}
    assert '"new"' not in succeed("spaces", "list", "--json", "--url", made_url)


def test_what_is_refused_is_one_line(made_url):
    assert "version" in fail("cells", "cas", "c", "1", "--expected-version", "4", "--url", made_url)
    assert "bytes" in fail("kv", "put", "x" * 901, "1", "--url", made_url)
    wrong = run("kv", "put", "a", "hello", "--url", made_url)
    assert wrong.exit_code == 2
    assert "is not JSON" in wrong.stderr


def test_there_is_a_command_for_each_operation_of_a_space():
    listed = {
        f"{group}_{name.replace('-', '_')}"
        for group in ("kv", "log", "cells", "json", "vectors", "tree", "text", "search")
        for name in __import__("ramax.cli.app", fromlist=["ramax"]).ramax.commands[group].commands
    }
    assert listed == {name for name, each in OPERATIONS.items() if each.of_space}
