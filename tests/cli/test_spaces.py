import json

import pytest

import ramax
from ramax.core.json_form import from_json
from tests.cli.command import fail, on, read, run, succeed


def names(url: str, *options: str) -> list[str]:
    return [each["space_name"] for each in read("spaces", "list", *options, "--url", url)]


def test_list_is_by_id_and_by_prefix(demo_url):
    assert names(demo_url) == ["default", "crm_acme", "crm_globex"]
    assert names(demo_url, "--prefix", "crm_g") == ["crm_globex"]
    assert names(demo_url, "--prefix", "x") == []
    table = succeed("spaces", "list", "--url", demo_url).splitlines()
    assert table[0].split() == ["id", "space", "created", "metadata"]
    assert table[2].split()[:2] == ["1", "crm_acme"]


def test_show_is_one_space_with_all_its_numbers(demo_url):
    shown = read("spaces", "show", "crm_acme", "--url", demo_url)
    assert (shown["space_id"], shown["event_count"], shown["key_count"]) == (1, 3, 2)
    assert shown["checkpoints"] == {"pstate": 3}
    text = succeed("spaces", "show", "crm_acme", "--url", demo_url)
    assert "events             3\n" in text
    assert "checkpoint pstate  3\n" in text
    unused = read("spaces", "show", "default", "--url", demo_url)
    assert (unused["space_id"], unused["event_count"]) == (0, 0)


def test_stats_are_of_all_or_of_one(demo_url):
    counted = read("spaces", "stats", "--url", demo_url)
    assert [(each["space_name"], each["event_count"]) for each in counted] == [
        ("default", 0),
        ("crm_acme", 3),
        ("crm_globex", 1),
    ]
    assert read("spaces", "stats", "crm_globex", "--url", demo_url) == counted[2]
    row = succeed("spaces", "stats", "crm_globex", "--url", demo_url).splitlines()[1]
    assert row.split()[:4] == ["2", "crm_globex", "1", "1"]


def test_create_keeps_metadata_of_any_type(demo_url):
    metadata = {"plan": "pro", "since": {"$date": "2024-01-02"}, "tags": {"$set": ["a"]}}
    said = succeed("spaces", "create", "new", "--metadata", json.dumps(metadata), "--url", demo_url)
    assert said == "created space 'new' with id 3\n"
    assert read("spaces", "show", "new", "--url", demo_url)["metadata"] == metadata

    async def stored(db: ramax.Database) -> object:
        return dict((await db.spaces.get("new")).metadata)

    assert on(demo_url, stored) == from_json(metadata)


@pytest.mark.parametrize(
    "metadata", ["{", "[]", "5", '{"a": {"$nothing": 1}}', '"text"', "[" * 100_000]
)
def test_metadata_that_is_no_object_is_wrong_usage(demo_file, metadata):
    done = run("spaces", "create", "new", "--metadata", metadata, "--url", demo_file)
    assert done.exit_code == 2
    assert "--metadata" in done.stderr
    assert "new" not in names(demo_file)


def test_rename_keeps_the_id(demo_url):
    said = succeed("spaces", "rename", "crm_acme", "acme", "--url", demo_url)
    assert said == "space 'crm_acme' is 'acme' now, still with id 1\n"
    assert names(demo_url) == ["default", "acme", "crm_globex"]
    assert read("events", "show", "1", "--url", demo_url)["space_name"] == "acme"


def test_delete_asks_and_takes_no_for_an_answer(demo_url):
    delete = ("spaces", "delete", "crm_acme", "--force", "--url", demo_url)
    for answer, code in (("n\n", 1), ("", 1)):
        done = run(*delete, input=answer)
        assert done.exit_code == code
        assert "Delete space 'crm_acme' with its 3 events and 2 keys for good?" in done.stderr
        assert "crm_acme" in names(demo_url)
    done = run(*delete, input="y\n")
    assert (done.exit_code, done.stdout) == (0, "deleted space 'crm_acme'\n")
    assert names(demo_url) == ["default", "crm_globex"]


def test_delete_without_an_answer_says_what_to_give(demo_file):
    done = run("spaces", "delete", "crm_acme", "--force", "--url", demo_file, input="")
    assert done.stderr.splitlines()[-1] == (
        "ramax: nothing was done; give --yes where nobody can answer"
    )


def test_delete_needs_force_for_what_ever_held_something(demo_url):
    assert "--force" in fail("spaces", "delete", "crm_acme", "--yes", "--url", demo_url)
    succeed("spaces", "create", "empty", "--url", demo_url)
    said = succeed("spaces", "delete", "empty", "--yes", "--url", demo_url)
    assert said == "deleted space 'empty'\n"
    succeed("spaces", "delete", "crm_acme", "--yes", "--force", "--url", demo_url)
    assert names(demo_url) == ["default", "crm_globex"]


def test_texts_are_indexed_later_on_demand(demo_url):
    enabled = succeed("spaces", "enable-search", "crm_acme", "--mode", "async", "--url", demo_url)
    assert "searched now" in enabled
    for space in ("crm_acme", "crm_globex"):
        succeed("kv", "put", "k", '"word"', "--space", space, "--url", demo_url)
    search = ("search", "text", "word", "--space", "crm_acme", "--url", demo_url)
    assert json.loads(succeed(*search))["hits"] == []
    index = ("spaces", "index-texts", "--url", demo_url)
    assert succeed(*index) == "1 keys were indexed\n"
    assert len(json.loads(succeed(*search))["hits"]) == 1
    assert succeed(*index, "crm_acme", "crm_globex") == "0 keys were indexed\n"
    assert "nope" in fail(*index, "nope")
