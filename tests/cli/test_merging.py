import json

import pytest

import ramax
from tests.cli.command import fail, on, read, succeed


async def fork(db: ramax.Database) -> None:
    main = await db.content_store("a")
    await main.kv.put_many({"k": 0, "gone": 1})
    await db.content_store("b")
    await db.branches.fork("main", "test")
    view = db.at_branch("test")
    test = await view.content_store("a")
    await test.kv.put("k", 1)
    await test.kv.put("new", {"n": 1})
    await test.kv.delete("gone")
    await (await view.content_store("made")).kv.put("x", 1)


@pytest.fixture
def forked_url(sqlite_url):
    on(sqlite_url, fork)
    return sqlite_url


def test_a_diff_is_read_line_by_line(forked_url):
    text = succeed("branch", "diff", "main", "test", "--values", "--url", forked_url)
    assert text.splitlines() == [
        "a: 0 events on main, 3 events on test (3 kv)",
        "  - kv gone: 1",
        "  ~ kv k: 0 -> 1",
        '  + kv new: {"n": 1}',
        "only on test: made",
        "1 space does not differ",
    ]
    short = succeed("branch", "diff", "main", "test", "--all", "--url", forked_url)
    assert "  ~ kv k\n" in short
    assert "b: 0 events on main, 0 events on test\n" in short


def test_a_diff_is_json(forked_url):
    found = read("branch", "diff", "main", "test", "--url", forked_url)
    assert [each["kind"] for each in found["spaces"][0]["keys"]] == ["removed", "changed", "added"]
    assert found["only_right"] == ["made"]


def test_a_merge_is_previewed_done_and_nothing_again(forked_url):
    preview = succeed("branch", "merge", "test", "--preview", "--url", forked_url)
    assert preview.splitlines() == ["a: 3 copied", "made: new", "1 space has nothing new"]
    done = succeed("branch", "merge", "test", "--url", forked_url)
    assert done.splitlines() == ["a: 3 copied", "made, new: 1 copied", "1 space has nothing new"]
    again = read("branch", "merge", "test", "--url", forked_url)
    assert (again["spaces"], again["unchanged"]) == ([], 3)
    assert json.loads(succeed("kv", "get", "k", "--space", "a", "--url", forked_url))["value"] == 1


def test_a_conflict_fails_with_its_name_unless_it_is_settled(forked_url):
    succeed("kv", "put", "k", "7", "--space", "a", "--url", forked_url)
    assert "kv 'k' of space 'a'" in fail("branch", "merge", "test", "--url", forked_url)
    preview = succeed("branch", "merge", "test", "--preview", "--url", forked_url)
    assert "  conflict: kv 'k' of space 'a'\n" in preview
    arguments = ("branch", "rebase", "test", "--on-conflict", "theirs", "--url", forked_url)
    assert "  took theirs: kv 'k' of space 'a'\n" in succeed(*arguments)
    ours = succeed("branch", "merge", "test", "--on-conflict", "ours", "--url", forked_url)
    assert "conflict" not in ours
    assert "branch" in fail("branch", "merge", "nowhere", "--url", forked_url)
