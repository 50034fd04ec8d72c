"""Branches from the command line: made, used, renamed and deleted."""

from datetime import UTC, datetime

import pytest

import ramax
from ramax.cli.branch import branch
from ramax.cli.merging import COMMANDS
from tests.cli.command import fail, on, read, run, succeed


def test_the_commands_on_two_branches_are_there():
    assert {each.name for each in COMMANDS} <= set(branch.commands)


async def fill(db: ramax.Database) -> None:
    store = await db.content_store("a")
    await store.kv.put("k", 1)
    await store.kv.put("k", 2)
    await db.content_store("b")


@pytest.fixture
def filled(sqlite_url):
    on(sqlite_url, fill)
    return sqlite_url


def test_a_fork_is_made_used_renamed_and_deleted(filled):
    at = ("--url", filled)
    assert succeed("branch", "fork", "test", *at) == "forked 'main' as 'test': 2 spaces\n"
    elsewhere = ("--space", "a", "--branch", "test", *at)
    assert read("kv", "get", "k", *elsewhere) == {"found": True, "value": 2}
    succeed("kv", "put", "k", "3", *elsewhere)
    assert read("kv", "get", "k", *elsewhere)["value"] == 3
    assert read("kv", "get", "k", "--space", "a", *at)["value"] == 2
    names = [each["space_name"] for each in read("spaces", "list", "--branch", "test", *at)]
    assert names == ["default", "a", "b"]
    succeed("branch", "rename", "test", "staging", *at)
    listed = read("branch", "list", *at)
    assert [(each["name"], each["parent"]) for each in listed] == [
        ("main", None),
        ("staging", "main"),
    ]
    assert "staging" in succeed("branch", "list", *at)
    assert succeed("branch", "delete", "staging", "--yes", *at) == "deleted branch 'staging'\n"
    assert "staging" in fail("kv", "get", "k", "--branch", "staging", *at)


def test_a_fork_of_the_past_is_named_by_sequences_or_a_time(filled):
    at = ("--url", filled)
    succeed("branch", "fork", "first", "--at", "a=1", *at)
    assert read("kv", "get", "k", "--space", "a", "--branch", "first", *at)["value"] == 1
    now = datetime.now(UTC).isoformat()
    succeed("branch", "fork", "now", "--from", "first", "--at-time", now, *at)
    assert read("kv", "get", "k", "--space", "a", "--branch", "now", *at)["value"] == 1
    for wrong in (
        ("--at", "a"),
        ("--at", "a=x"),
        ("--at-time", "noon"),
        ("--at", "a=1", "--at-time", now),
    ):
        assert run("branch", "fork", "x", *wrong, *at).exit_code == 2
    assert [each["name"] for each in read("branch", "list", *at)] == ["main", "first", "now"]


def test_an_empty_branch_has_no_spaces_and_nothing_is_deleted_unasked(filled):
    at = ("--url", filled)
    assert succeed("branch", "create", "empty", *at) == "made branch 'empty'\n"
    assert read("spaces", "list", "--branch", "empty", *at)[1:] == []
    declined = run("branch", "delete", "empty", *at, input="n\n")
    assert (declined.exit_code, declined.stdout) == (1, "nothing was deleted\n")
    assert "empty" in {each["name"] for each in read("branch", "list", *at)}
