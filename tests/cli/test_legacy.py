from pathlib import Path

import pytest

from tests.cli.command import fail, process, read, run, succeed
from tests.migrations.elixir import (
    BEFORE_SPACES,
    ElixirFile,
    event,
    pstate,
)

DATA = Path(__file__).parents[1] / "data" / "legacy"


def test_inspect_says_what_an_old_database_holds():
    found = read("legacy", "inspect", str(DATA / "sample_spaces.db"))
    assert (found["form"], found["event_count"], found["key_count"]) == (
        "an Elixir database with spaces",
        20,
        12,
    )
    assert [(s["space_name"], s["event_count"], s["key_count"]) for s in found["spaces"]] == [
        ("crm_acme", 14, 8),
        ("crm_widgets", 6, 4),
    ]
    assert found["encodings"] == {"events": {"etf": 20}, "pstate_entities": {"etf": 12}}
    assert found["orphans"] == {"2": 2, "4": 2}
    assert (found["bad_rows"], found["renamed_keys"]) == ([], [])
    text = succeed("legacy", "inspect", str(DATA / "sample_spaces.db"))
    assert "form       an Elixir database with spaces\n" in text
    assert "2 keys of space 2, which was deleted, are not imported\n" in text


def test_inspect_names_the_space_of_rows_that_name_none():
    old = str(DATA / "sample_legacy.db")
    assert read("legacy", "inspect", old)["spaces"][0]["space_name"] == "default"
    named = read("legacy", "inspect", old, "--space", "mine")["spaces"]
    assert [space["space_name"] for space in named] == ["mine"]


def test_inspect_names_bad_rows_and_renamed_keys(tmp_path):
    file = ElixirFile(tmp_path / "old.db", BEFORE_SPACES)
    bad = [event(number, payload=b"\xc1") for number in range(1, 26)]
    file.insert("events", *bad)
    both = b"\x83t\x00\x00\x00\x02" + b"w\x01aa\x01" + b"m\x00\x00\x00\x01aa\x02"
    file.insert("pstate_entities", pstate("k", value=both))
    found = read("legacy", "inspect", str(file.path))
    assert [each["where"] for each in found["bad_rows"]][:2] == ["events 1", "events 2"]
    assert found["bad_rows"][0]["row"] == [1]
    assert found["renamed_keys"] == [
        {
            "table": "pstate_entities",
            "row": [{"$bytes": "aw=="}],
            "key": "a",
            "renamed": ":a",
        }
    ]
    text = succeed("legacy", "inspect", str(file.path))
    assert "25 rows that cannot be imported:\n  events 1: " in text
    assert "  and 5 more; --json names all\n" in text
    assert "1 renamed keys:\n  pstate_entities k: 'a' is ':a', beside its equal\n" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"no database" * 20, "is not a SQLite database"),
    ],
)
def test_a_file_that_is_no_database_is_one_line(tmp_path, content, said):
    file = tmp_path / "old.db"
    if content is not None:
        file.write_bytes(content)
    assert said in fail("legacy", "inspect", str(file))


def test_a_database_of_today_is_named(demo_file):
    line = fail("legacy", "inspect", demo_file.partition("///")[2])
    assert "is a ramax database already" in line


def test_it_needs_a_file_and_changes_nothing(tmp_path):
    assert run("legacy", "inspect").exit_code == 2
    old = tmp_path / "old.db"
    old.write_bytes((DATA / "sample_legacy.db").read_bytes())
    before = old.read_bytes()
    done = process("legacy", "inspect", str(old), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]
