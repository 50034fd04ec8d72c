from pathlib import Path

from ramax.core.erlang_keys import KeyCollision
from ramax.legacy import BadRow, inspect
from tests.migrations.elixir import (
    BEFORE_SPACES,
    TEXT_EVENTS,
    TEXT_PSTATE,
    WITH_SPACES,
    ElixirFile,
    etf,
    event,
    pstate,
)

DATA = Path(__file__).parents[1] / "data" / "legacy"


def test_the_samples_are_all_there():
    legacy = inspect(DATA / "sample_legacy.db", space_name="mine")
    assert legacy.form == "a database from before spaces"
    assert [(s.space_name, s.event_count, s.key_count) for s in legacy.spaces] == [("mine", 33, 14)]
    assert legacy.encodings == {
        "events": {"etf": 10, "etf, compressed": 23},
        "pstate_entities": {"etf": 14},
    }
    spaces = inspect(DATA / "sample_spaces.db")
    assert [(s.space_name, s.event_count, s.key_count) for s in spaces.spaces] == [
        ("crm_acme", 14, 8),
        ("crm_widgets", 6, 4),
    ]
    assert (spaces.event_count, spaces.key_count, spaces.orphans) == (20, 12, {2: 2, 4: 2})
    for report in (legacy, spaces):
        assert report.bad_rows == ()
        assert report.renamed_keys == ()
        assert not any(space.renumbered for space in report.spaces)


def test_what_cannot_be_decoded_is_named_by_table_and_id(tmp_path):
    file = ElixirFile(tmp_path / "old.db", BEFORE_SPACES)
    good = etf(b"fine")
    file.insert(
        "events", event(1), event(2, payload=good[:-1]), event(3, payload=b"\xc1"), event(4)
    )
    file.insert("pstate_entities", pstate("a"), pstate("b", value=b"\x83\x50\x00\x00"))
    report = inspect(file.path)
    assert [bad.where for bad in report.bad_rows] == ["events 2", "events 3", "pstate_entities b"]
    assert "cut short" in report.bad_rows[0].rule
    assert "not a MessagePack value" in report.bad_rows[1].rule
    assert report.bad_rows[2] == BadRow("pstate_entities", (b"b",), report.bad_rows[2].rule)
    assert report.event_count == 4


def test_rows_and_metadata_that_cannot_be_read_are_in_the_report_too(tmp_path):
    file = ElixirFile(tmp_path / "old.db", WITH_SPACES)
    file.run(
        "INSERT INTO spaces VALUES (1, 'a', 1700000000, 'no json')",
        "INSERT INTO projection_checkpoints VALUES (1, 'x', 1, 5)",
    )
    file.insert("events", event(1, space_id=1, space_sequence=1, timestamp="x"))
    file.insert("pstate_entities", pstate("k", space_id=1, updated_at="x"))
    report = inspect(file.path)
    assert [bad.where for bad in report.bad_rows] == [
        "spaces 1",
        "events 1",
        "pstate_entities 1 k",
        "projection_checkpoints 1",
    ]


def test_values_of_the_json_era_are_told_from_the_others(tmp_path):
    file = ElixirFile(tmp_path / "old.db", TEXT_EVENTS, TEXT_PSTATE)
    file.insert(
        "pstate_entities", pstate("a", value='{"x": 1}'), pstate("b"), pstate("c", value="{")
    )
    report = inspect(file.path)
    assert report.encodings == {"pstate_entities": {"json": 2, "etf": 1}}
    assert [bad.where for bad in report.bad_rows] == ["pstate_entities c"]


def test_keys_that_had_to_be_renamed_are_told(tmp_path):
    file = ElixirFile(tmp_path / "old.db", BEFORE_SPACES)
    clash = b"\x83t\x00\x00\x00\x02" + b"w\x01a" + b"a\x01" + b"m\x00\x00\x00\x01a" + b"a\x02"
    file.insert("events", event(7, payload=clash))
    (renamed,) = inspect(file.path).renamed_keys
    assert (renamed.table, renamed.row) == ("events", (7,))
    assert renamed.collision == KeyCollision("a", ":a")


def test_broken_sequences_are_told(tmp_path):
    file = ElixirFile(tmp_path / "old.db", WITH_SPACES)
    file.run("INSERT INTO spaces VALUES (1, 'a', 1700000000, NULL)")
    file.insert("events", *(event(n, space_id=1, space_sequence=1) for n in (1, 2)))
    assert [space.renumbered for space in inspect(file.path).spaces] == [True]
