"""Every older form of the tables is recognised by its columns and becomes spaces."""

import json
import logging
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.core.codec import decode
from ramax.errors import LegacyFormatError
from ramax.storage import migrate
from ramax.storage.schema import schema_state
from tests.migrations.elixir import (
    ALTERED_BY_HAND,
    BEFORE_SPACES,
    PLAIN_EVENTS,
    PLAIN_PSTATE,
    REGISTRY,
    SPACED_EVENTS,
    SPACED_PSTATE,
    TEXT_EVENTS,
    TEXT_PSTATE,
    WITH_SPACES,
    ElixirFile,
    awkward,
    event,
    pstate,
)

DATA = Path(__file__).parents[1] / "data" / "legacy"

SPACES = "SELECT space_id, space_name FROM spaces ORDER BY 1"
EVENTS = "SELECT event_id, space_id, space_sequence FROM events ORDER BY 1"
PSTATE = "SELECT space_id, key FROM pstate_entities ORDER BY 1, 2"
GUARDS = "SELECT space_id, last_sequence FROM space_sequences ORDER BY 1"
CHECKED = """SELECT space_id, name, last_event_id, last_space_sequence
             FROM projection_checkpoints ORDER BY 1, 2"""
COUNTERS = "SELECT name, seq FROM sqlite_sequence ORDER BY 1"


@pytest.fixture
def old(tmp_path):
    def make(*schema):
        return ElixirFile(tmp_path / "elixir.db", *schema)

    return make


async def upgrade(file, **options):
    engine = create_async_engine(file.url)
    try:
        await migrate.upgrade(engine, **options)
        assert await migrate.check(engine) == []
    finally:
        await engine.dispose()


async def recognised(file):
    engine = create_async_engine(file.url)
    async with engine.connect() as connection:
        state = await schema_state(connection)
    await engine.dispose()
    return state


def spaced(event_id, space_id, sequence, **others):
    return event(event_id, space_id=space_id, space_sequence=sequence, **others)


def space(space_id, name, metadata=None):
    return {
        "space_id": space_id,
        "space_name": name,
        "created_at": 1_700_000_000 + space_id,
        "metadata": metadata,
    }


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ([BEFORE_SPACES], "from before spaces"),
        ([TEXT_EVENTS, TEXT_PSTATE], "from before spaces"),
        ([PLAIN_EVENTS], "from before spaces"),
        ([PLAIN_PSTATE], "from before spaces"),
        ([PLAIN_EVENTS, REGISTRY, PLAIN_PSTATE], "whose events have no space yet"),
        ([SPACED_EVENTS, REGISTRY, PLAIN_PSTATE], "whose pstate has none yet"),
        ([SPACED_EVENTS, REGISTRY, SPACED_PSTATE], "an Elixir database with spaces"),
        ([WITH_SPACES], "an Elixir database with spaces"),
        ([SPACED_PSTATE], "an Elixir database with spaces"),
        ([BEFORE_SPACES, ALTERED_BY_HAND], "altered by hand"),
    ],
)
async def test_each_form_is_told_and_upgraded_empty(old, schema, said):
    file = old(*schema)
    state = await recognised(file)
    assert state.kind == "older"
    assert said in state.description
    assert "ramax db upgrade" in str(state.problem())
    await upgrade(file)
    assert (await recognised(file)).kind == "current"


async def test_registered_spaces_are_kept_as_they_are(old):
    file = old(WITH_SPACES)
    file.insert("spaces", space(2, "Any Name!"), space(5, "b", '{"seats": 9007199254740993}'))
    file.insert("events", spaced(3, 2, 1), spaced(5, 5, 1), spaced(6, 2, 2), spaced(9, 5, 2))
    file.insert(
        "space_sequences",
        {"space_id": 2, "last_sequence": 2},
        {"space_id": 5, "last_sequence": 2},
    )
    file.insert(
        "pstate_entities",
        pstate("k", space_id=2),
        pstate("k", space_id=5),
        pstate("l", space_id=5),
    )
    file.run("INSERT INTO projection_checkpoints VALUES (2, 3, 1, 1700000009), (5, 0, 50, NULL)")
    await upgrade(file, space_name="ignored")
    assert file.read(SPACES) == [(2, "Any Name!"), (5, "b")]
    assert file.read("SELECT created_at FROM spaces") == [
        (1_700_000_002_000_000,),
        (1_700_000_005_000_000,),
    ]
    empty, metadata = (row[0] for row in file.read("SELECT metadata FROM spaces ORDER BY space_id"))
    assert (empty, decode(metadata)) == (None, {"seats": 9007199254740993})
    assert file.read(EVENTS) == [(3, 2, 1), (5, 5, 1), (6, 2, 2), (9, 5, 2)]
    assert file.read(PSTATE) == [(2, "k"), (5, "k"), (5, "l")]
    assert file.read(GUARDS) == [(2, 2), (5, 2)]
    assert file.read(CHECKED) == [
        (2, "legacy", 3, 1),
        (2, "pstate", 6, 2),
        (5, "legacy", 9, 2),  # 50 is beyond the end
        (5, "pstate", 9, 2),
    ]


async def test_gaps_in_sequences_are_kept_and_the_next_one_follows_the_last(old):
    file = old(WITH_SPACES)
    file.insert("spaces", space(1, "a"))
    file.insert("events", spaced(1, 1, 1), spaced(4, 1, 4))
    file.insert("space_sequences", {"space_id": 1, "last_sequence": 9})
    await upgrade(file)
    assert file.read(EVENTS) == [(1, 1, 1), (4, 1, 4)]
    assert file.read(GUARDS) == [(1, 4)]


async def test_a_sequence_that_was_handed_out_twice_is_repaired_in_its_space_only(old, caplog):
    file = old(WITH_SPACES)
    file.insert("spaces", space(1, "a"), space(2, "b"))
    file.insert("events", spaced(1, 1, 1), spaced(2, 2, 1), spaced(3, 1, 1), spaced(4, 2, 3))
    file.insert("pstate_entities", pstate("k", space_id=1))
    file.run("INSERT INTO projection_checkpoints VALUES (1, 1, 1, 5), (2, 4, 3, 5)")
    with caplog.at_level(logging.WARNING, "ramax.migrations"):
        await upgrade(file)
    assert [r.message for r in caplog.records] == [
        "the sequences of space 1 are broken: it is numbered again"
    ]
    assert file.read(EVENTS) == [(1, 1, 1), (2, 2, 1), (3, 1, 2), (4, 2, 3)]
    assert file.read(GUARDS) == [(1, 2), (2, 3)]
    assert file.read(CHECKED) == [
        (1, "legacy", 1, 1),
        (1, "pstate", 3, 2),
        (2, "legacy", 4, 3),
        (2, "pstate", 0, 0),
    ]


async def test_pstate_of_deleted_spaces_is_kept_apart_and_their_ids_are_not_used_again(old, caplog):
    file = old(WITH_SPACES)
    file.insert("spaces", space(1, "a"), space(8, "gone"))
    file.run("DELETE FROM spaces WHERE space_id = 8")
    file.insert("events", spaced(1, 1, 1), event(9, space_id=1, space_sequence=2))
    file.run("DELETE FROM events WHERE event_id = 9")
    file.insert("pstate_entities", pstate("k", space_id=1), pstate("k", space_id=3))
    with caplog.at_level(logging.WARNING, "ramax.migrations"):
        await upgrade(file)
    assert "space 3 was deleted and left 1 pstate rows" in caplog.text
    assert file.read(SPACES) == [(1, "a")]
    assert file.read(PSTATE) == [(1, "k"), (3, "k")]
    assert file.read(COUNTERS) == [("branches", 1), ("events", 9), ("spaces", 8)]


async def test_events_of_a_space_that_nobody_registered_are_not_lost(old):
    file = old(WITH_SPACES)
    file.insert("spaces", space(1, "recovered-4"))
    file.insert("events", spaced(1, 1, 1), spaced(2, 4, 1), spaced(3, 6, 1))
    await upgrade(file)
    assert file.read(SPACES) == [(1, "recovered-4"), (4, "recovered-4-"), (6, "recovered-6")]
    assert file.read(COUNTERS) == [("branches", 1), ("events", 3), ("spaces", 6)]


async def test_events_without_a_space_go_to_the_named_one_beside_the_registered(old):
    file = old(PLAIN_EVENTS, REGISTRY, PLAIN_PSTATE)
    file.insert("spaces", space(1, "a"))
    file.insert("events", event(4), event(6))
    file.insert("pstate_entities", pstate("k"))
    await upgrade(file)
    assert file.read(SPACES) == [(1, "a"), (2, "default")]
    assert file.read(EVENTS) == [(4, 2, 1), (6, 2, 2)]
    assert file.read(PSTATE) == [(2, "k")]


async def test_a_new_space_does_not_get_the_id_of_one_that_was_deleted(old):
    file = old(PLAIN_EVENTS, REGISTRY, PLAIN_PSTATE)
    file.insert("spaces", space(1, "a"), space(8, "gone"))
    file.run("DELETE FROM spaces WHERE space_id = 8")
    file.insert("events", event(1))
    await upgrade(file)
    assert file.read(SPACES) == [(1, "a"), (9, "default")]


async def test_events_without_a_space_go_to_a_registered_one_of_that_name(old):
    file = old(PLAIN_EVENTS, REGISTRY, PLAIN_PSTATE)
    file.insert("spaces", space(1, "a"), space(2, "b"))
    file.insert("events", event(4))
    await upgrade(file, space_name="b")
    assert file.read(SPACES) == [(1, "a"), (2, "b")]
    assert file.read(EVENTS) == [(4, 2, 1)]
    assert file.read(CHECKED) == [(1, "pstate", 0, 0), (2, "pstate", 0, 0)]


async def test_pstate_without_a_space_goes_to_the_only_one_with_its_events(old):
    file = old(SPACED_EVENTS, REGISTRY, PLAIN_PSTATE)
    file.insert("spaces", space(3, "a"))
    file.insert("events", spaced(1, 3, 1), spaced(2, 3, 2))
    file.insert("pstate_entities", pstate("k"))
    await upgrade(file)
    assert file.read(SPACES) == [(3, "a")]
    assert file.read(PSTATE) == [(3, "k")]
    assert file.read(CHECKED) == [(3, "pstate", 2, 2)]


async def test_pstate_that_several_spaces_shared_goes_to_the_named_one(old):
    file = old(SPACED_EVENTS, REGISTRY, PLAIN_PSTATE)
    file.insert("spaces", space(1, "a"), space(2, "b"))
    file.insert("events", spaced(1, 1, 1), spaced(2, 2, 1))
    file.insert("pstate_entities", pstate("k"))
    await upgrade(file, space_name="shared")
    assert file.read(SPACES) == [(1, "a"), (2, "b"), (3, "shared")]
    assert file.read(PSTATE) == [(3, "k")]
    # the others have no pstate of their own: all of it is still to be folded
    assert file.read(CHECKED) == [(1, "pstate", 0, 0), (2, "pstate", 0, 0), (3, "pstate", 0, 0)]


async def test_a_file_with_events_only_has_its_pstate_still_to_be_folded(old):
    file = old(PLAIN_EVENTS)
    file.insert("events", event(1), event(2))
    await upgrade(file)
    assert file.read(GUARDS) == [(1, 2)]
    assert file.read(CHECKED) == [(1, "pstate", 0, 0)]


async def test_a_file_with_pstate_only_keeps_every_space_of_it(old):
    file = old(SPACED_PSTATE)
    file.insert("pstate_entities", pstate("k", space_id=2), pstate("k", space_id=3))
    await upgrade(file)
    assert file.read(SPACES) == [(2, "recovered-2"), (3, "recovered-3")]
    assert file.read(PSTATE) == [(2, "k"), (3, "k")]


class TestAlteredByHand:
    """What is left when the ALTER statements of the Elixir guide were run."""

    async def test_sequences_and_keys_are_repaired(self, old):
        file = old(BEFORE_SPACES)
        file.insert("events", event(2), event(5), event(6))
        file.insert("pstate_entities", pstate("k"), pstate("l"))
        file.run(ALTERED_BY_HAND)
        await upgrade(file, space_name="ignored")
        assert file.read(SPACES) == [(1, "default")]
        assert file.read(EVENTS) == [(2, 1, 1), (5, 1, 2), (6, 1, 3)]
        assert file.read(PSTATE) == [(1, "k"), (1, "l")]
        assert file.read(CHECKED) == [(1, "pstate", 6, 3)]
        assert file.read("SELECT payload FROM events") == [(awkward(n),) for n in (2, 5, 6)]

    @pytest.mark.parametrize("before", [1, 2, 3])
    async def test_what_was_appended_since_never_reached_pstate_and_is_to_be_folded(
        self, old, before
    ):
        file = old(BEFORE_SPACES)
        file.insert("events", *(event(number) for number in range(1, before + 1)))
        file.insert("pstate_entities", pstate("k"))
        file.run(ALTERED_BY_HAND)
        file.run("INSERT INTO spaces VALUES (2, 'later', 1700000000, NULL)")
        file.insert("events", spaced(11, 1, 1), spaced(12, 2, 1), spaced(13, 1, 2))
        file.run("INSERT INTO projection_checkpoints VALUES (1, 11, 1, 5)")
        await upgrade(file)
        old_ones = [(number, 1, number) for number in range(1, before + 1)]
        new_ones = [(11, 1, before + 1), (12, 2, 1), (13, 1, before + 2)]
        assert file.read(EVENTS) == old_ones + new_ones
        assert file.read(GUARDS) == [(1, before + 2), (2, 1)]
        assert file.read(CHECKED) == [
            (1, "legacy", 11, before + 1),
            (1, "pstate", before, before),
            (2, "pstate", 0, 0),
        ]

    async def test_sequences_that_a_script_had_set_are_continued(self, old):
        file = old(BEFORE_SPACES)
        file.insert("events", event(1), event(2), event(3))
        file.insert("pstate_entities", pstate("k"))
        file.run(ALTERED_BY_HAND, "UPDATE events SET space_sequence = event_id")
        file.insert("events", spaced(4, 1, 1), spaced(5, 1, 2))
        await upgrade(file)
        assert file.read(EVENTS) == [(number, 1, number) for number in range(1, 6)]
        assert file.read(CHECKED) == [(1, "pstate", 3, 3)]

    async def test_without_the_registry_the_space_gets_the_given_name(self, old):
        file = old(BEFORE_SPACES)
        file.insert("events", event(1))
        file.run(ALTERED_BY_HAND, "DELETE FROM spaces")
        await upgrade(file, space_name="mine")
        assert file.read(SPACES) == [(1, "mine")]

    async def test_rows_without_a_space_id_find_one(self, old):
        file = old(BEFORE_SPACES)
        file.insert("events", event(1), event(2))
        file.insert("pstate_entities", pstate("k"))
        file.run(
            ALTERED_BY_HAND,
            "UPDATE events SET space_id = NULL WHERE event_id = 2",
            "UPDATE pstate_entities SET space_id = NULL",
        )
        await upgrade(file)
        assert file.read(EVENTS) == [(1, 1, 1), (2, 1, 2)]
        assert file.read(PSTATE) == [(1, "k")]


async def test_values_from_the_time_of_json_say_so_row_by_row(old):
    file = old(TEXT_EVENTS, TEXT_PSTATE)
    text = json.dumps({"name": "é", "ref": {"key": "card:c1"}})
    file.insert("pstate_entities", pstate("a", value=text), pstate("b"))
    await upgrade(file)
    assert file.read("SELECT key, value, format FROM pstate_entities ORDER BY key") == [
        ("a", text.encode(), "json"),
        ("b", pstate("b")["value"], "etf"),
    ]


async def test_metadata_that_is_no_map_is_kept_under_a_name(old):
    file = old(WITH_SPACES)
    file.insert("spaces", space(1, "a", '["x", 1]'), space(2, "b", "null"))
    await upgrade(file)
    first, second = (row[0] for row in file.read("SELECT metadata FROM spaces ORDER BY space_id"))
    assert (decode(first), second) == ({"value": ["x", 1]}, None)


@pytest.mark.parametrize("broken", ["{broken", "[" * 100_000], ids=["broken", "endless"])
async def test_metadata_that_is_not_json_is_named_and_nothing_is_changed(old, broken):
    file = old(WITH_SPACES)
    file.insert("spaces", space(7, "a", broken))
    before = file.path.read_bytes()
    with pytest.raises(LegacyFormatError, match="metadata of space 7"):
        await upgrade(file)
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    ("table", "row", "named"),
    [
        ("events", spaced(7, 1, 1, timestamp="2025-11-17"), "timestamp of event_id 7 in events"),
        ("events", spaced(7, 1, 1, timestamp=1.5), "timestamp of event_id 7"),
        ("events", spaced(7, 1, 1, timestamp=253_402_300_800_000), "timestamp of event_id 7"),
        ("events", spaced(7, 1, 1, created_at=-62_135_596_801), "created_at of event_id 7"),
        ("pstate_entities", pstate("k", space_id=1, updated_at="now"), "updated_at of key 'k'"),
        ("spaces", space(3, "a") | {"created_at": "now"}, "created_at of space_id 3 in spaces"),
    ],
)
async def test_a_time_that_is_none_is_named_and_nothing_is_changed(old, table, row, named):
    file = old(WITH_SPACES)
    file.insert(table, row)
    before = file.path.read_bytes()
    with pytest.raises(LegacyFormatError, match=named):
        await upgrade(file)
    assert file.path.read_bytes() == before


async def test_the_first_and_the_last_time_are_kept(old):
    file = old(WITH_SPACES)
    first, last = -62_135_596_800_000, 253_402_300_799_999
    file.insert("events", spaced(1, 1, 1, timestamp=first), spaced(2, 1, 2, timestamp=last))
    await upgrade(file)
    times = file.read("SELECT timestamp FROM events ORDER BY event_id")
    assert times == [(first * 1000,), (last * 1000,)]


@pytest.mark.parametrize("name", ["sample_legacy", "sample_spaces"])
async def test_what_elixir_really_wrote_is_all_there_afterwards(tmp_path, name):
    file = ElixirFile(Path(shutil.copy(DATA / f"{name}.db", tmp_path)))
    told = json.loads((DATA / f"{name}.json").read_text())
    stored = dict(file.read("SELECT event_id, CAST(payload AS BLOB) FROM events"))
    values = {row[:-1]: row[-1] for row in values_of(file)}
    await upgrade(file)

    events = file.read(
        "SELECT event_id, space_id, space_sequence, entity_id, event_type, timestamp, causation_id,"
        " correlation_id, created_at, payload, format FROM events ORDER BY event_id"
    )
    assert [row[:-2] for row in events] == [
        (
            each["event_id"],
            each.get("space_id", 1),
            each.get("space_sequence", rank),
            each["entity_id"],
            each["event_type"],
            each["timestamp_ms"] * 1000,
            each["causation_id"],
            each["correlation_id"],
            each["created_at"] * 1_000_000,
        )
        for rank, each in enumerate(told["events"], 1)
    ]
    assert {row[0]: row[-2] for row in events} == stored
    assert {row[-1] for row in events} == {"etf"}
    upgraded = {row[:-1]: row[-1] for row in values_of(file)}
    assert upgraded == {(1, *key)[-2:]: value for key, value in values.items()}
    assert len(upgraded) == len(told["pstate"])


def values_of(file):
    """Read the rows of pstate: key, with the space where there is one, and bytes."""
    connection = sqlite3.connect(file.path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(pstate_entities)")]
    space_id = "space_id, " if "space_id" in columns else ""
    query = f"SELECT {space_id}key, CAST(value AS BLOB) FROM pstate_entities"
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows
