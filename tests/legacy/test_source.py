import json
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.core.codec import decode, decode_tagged
from ramax.errors import LegacyFormatError
from ramax.legacy import BadRow, open_source
from ramax.storage import migrate
from ramax.values import from_micros
from tests.legacy.forms import every_form, space, spaced
from tests.legacy.samples import DATA, told
from tests.migrations.elixir import (
    ALTERED_BY_HAND,
    BEFORE_SPACES,
    REGISTRY,
    SPACED_EVENTS,
    SPACED_PSTATE,
    WITH_SPACES,
    ElixirFile,
    event,
    pstate,
)


@pytest.fixture
def old(tmp_path):
    def make(*schema, name="elixir.db"):
        return ElixirFile(tmp_path / name, *schema)

    return make


# --- the same as the upgrade in place ------------------------------------------------------------


async def upgraded(file: ElixirFile, tmp_path: Path, space_name: str) -> dict[str, Any]:
    """What a copy of the file holds after it was upgraded in place."""
    copy = tmp_path / "upgraded.db"
    copy.unlink(missing_ok=True)
    shutil.copyfile(file.path, copy)
    engine = create_async_engine(f"sqlite+aiosqlite:///{copy}")
    try:
        await migrate.upgrade(engine, space_name=space_name)
    finally:
        await engine.dispose()
    connection = sqlite3.connect(copy)

    def rows(query):
        return connection.execute(query).fetchall()

    found = {
        "spaces": [
            (space_id, name, metadata and decode(metadata), last)
            for space_id, name, metadata, last in rows(
                "SELECT space_id, space_name, metadata, last_sequence"
                " FROM spaces JOIN space_sequences USING (space_id) ORDER BY 1"
            )
        ],
        "times": dict(rows("SELECT space_id, created_at FROM spaces")),
        "events": rows(
            "SELECT event_id, space_id, space_sequence, entity_id, event_type, payload, format,"
            " timestamp, causation_id, correlation_id, created_at FROM events ORDER BY event_id"
        ),
        "pstate": rows(
            "SELECT space_id, key, value, format, updated_at FROM pstate_entities"
            " WHERE space_id IN (SELECT space_id FROM spaces) ORDER BY 1, 2"
        ),
        "orphans": dict(
            rows(
                "SELECT space_id, count(*) FROM pstate_entities"
                " WHERE space_id NOT IN (SELECT space_id FROM spaces) GROUP BY 1"
            )
        ),
        "checkpoints": rows(
            "SELECT space_id, name, last_event_id, last_space_sequence, updated_at"
            " FROM projection_checkpoints ORDER BY 1, 2"
        ),
    }
    connection.close()
    return found


def read_directly(*paths: Path, **options: Any) -> dict[str, Any]:
    with open_source(*paths, **options) as source:
        return {
            "spaces": [
                (s.space_id, s.space_name, s.metadata, s.last_sequence) for s in source.spaces
            ],
            "times": {s.space_id: s.created_at for s in source.spaces},
            "events": [tuple(each) for each in source.events()],
            "pstate": sorted(tuple(each) for each in source.values()),
            "orphans": dict(source.orphans),
            "checkpoints": sorted(tuple(each) for each in source.checkpoints()),
        }


async def assert_same_as_upgraded(file: ElixirFile, tmp_path: Path, space_name="default") -> None:
    before = file.path.read_bytes()
    found = read_directly(file.path, space_name=space_name)
    assert file.path.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {file.path.name, "upgraded.db"}
    told = await upgraded(file, tmp_path, space_name)
    timeless = {s for s, *_ in told["spaces"]} - {row[1] for row in told["events"]}
    for space_id in timeless:  # made at once, when nothing tells since when it is there
        if found["times"][space_id] > 1_750_000_000_000_000:
            assert abs(found["times"].pop(space_id) - told["times"].pop(space_id)) < 60_000_000
    assert found == told


@pytest.mark.parametrize("space_name", ["default", "b"])
@pytest.mark.parametrize(("schema", "fill"), every_form())
async def test_every_form_is_read_as_the_upgrade_leaves_it(old, tmp_path, schema, fill, space_name):
    file = old(*schema)
    fill(file)
    await assert_same_as_upgraded(file, tmp_path, space_name)


@pytest.mark.parametrize("seed", range(12))
async def test_any_content_is_read_as_the_upgrade_leaves_it(old, tmp_path, seed):
    rng = random.Random(seed)
    altered = seed % 3 == 0
    file = old(BEFORE_SPACES if altered else WITH_SPACES)
    if altered:
        file.insert("events", *(event(n) for n in range(1, rng.randrange(2, 6))))
        file.insert("pstate_entities", *(pstate(f"k{n}") for n in range(rng.randrange(3))))
        file.run(ALTERED_BY_HAND, "DELETE FROM spaces" if rng.random() < 0.5 else "")
    ids = rng.sample(range(1, 9), 4)
    for space_id in ids[:2]:
        file.run(
            f"INSERT OR IGNORE INTO spaces VALUES ({space_id}, 's{space_id}', 1700000000, NULL)"
        )
    sequences = dict.fromkeys(ids, 0)
    for event_id in sorted(rng.sample(range(10, 60), 15)):
        space_id = rng.choice(ids[: rng.choice([2, 4])])
        sequences[space_id] += rng.choice([1, 1, 1, 2] if space_id != ids[0] else [1, 0, -1])
        file.insert("events", spaced(event_id, space_id, max(sequences[space_id], 1)))
    for n in range(8):
        file.insert("pstate_entities", pstate(f"p{n}", space_id=rng.choice(ids)))
    for space_id in ids[:3]:
        at, sequence = rng.randrange(70), rng.randrange(-1, 9)
        file.run(f"INSERT INTO projection_checkpoints VALUES ({space_id}, {at}, {sequence}, NULL)")
    await assert_same_as_upgraded(file, tmp_path)


# --- what real Ramax wrote -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sample_legacy", "sample_spaces"])
def test_a_sample_holds_what_its_json_tells(name):
    expected = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    with open_source(DATA / f"{name}.db") as source:
        registered = {each.space_id for each in source.spaces}
        events = list(source.events())
        values = list(source.values())
    assert [
        {
            "event_id": each.event_id,
            "space_id": each.space_id,
            "space_sequence": each.space_sequence,
            "entity_id": each.entity_id,
            "event_type": each.event_type,
            "payload": decode_tagged(each.payload, each.format),
            "payload_bytes": len(each.payload),
            "timestamp_ms": each.timestamp // 1000,
            "causation_id": each.causation_id,
            "correlation_id": each.correlation_id,
            "created_at": (each.created_at or 0) // 1_000_000,
            "compressed": each.payload[1] == 80,
        }
        for each in events
    ] == [
        {"space_id": 1, "space_sequence": rank}
        | {key: item for key, item in each.items() if key != "storage_class"}
        | {"payload": told(each["payload"])}
        for rank, each in enumerate(expected["events"], 1)
    ]
    assert {
        (each.space_id, each.key): (
            decode_tagged(each.value, each.format),
            (each.updated_at or 0) // 1_000_000,
        )
        for each in values
    } == {
        (each.get("space_id", 1), each["key"]): (told(each["value"]), each["updated_at"])
        for each in expected["pstate"]
        if each.get("space_id", 1) in registered  # the JSON marks the orphans of space 2 only
    }


def test_deleted_spaces_leave_ids_that_are_not_used_again():
    with open_source(DATA / "sample_spaces.db") as source:
        assert [each.space_id for each in source.spaces] == [1, 3]
        assert source.highest_space_id == 4
        assert source.highest_event_id == 83
        assert source.orphans == {2: 2, 4: 2}
        assert from_micros(source.spaces[0].created_at).year == 2026


# --- two files -----------------------------------------------------------------------------------


@pytest.fixture
def two_files(old):
    events = old(SPACED_EVENTS, REGISTRY, name="events.db")
    events.insert("spaces", space(2, "a"))
    events.insert("events", spaced(1, 2, 1), spaced(4, 2, 2))
    values = old(SPACED_PSTATE, name="pstate.db")
    values.insert("pstate_entities", pstate("k", space_id=2), pstate("k", space_id=9))
    return events.path, values.path


def test_events_and_pstate_in_two_files_are_one_source_in_either_order(two_files):
    one = read_directly(*two_files)
    assert one == read_directly(*reversed(two_files))
    assert [row[0] for row in one["events"]] == [1, 4]
    assert [row[:2] for row in one["pstate"]] == [(2, "k")]
    assert one["orphans"] == {9: 1}
    assert one["checkpoints"] == [(2, "pstate", 4, 2, 1_700_000_000_004_000)]


def test_pstate_alone_says_that_nothing_was_folded_and_events_alone_too(two_files):
    assert [row[2:4] for row in read_directly(two_files[0])["checkpoints"]] == [(0, 0)]
    assert [row[2:4] for row in read_directly(two_files[1])["checkpoints"]] == [(0, 0)] * 2


# --- rows that cannot be taken over --------------------------------------------------------------


BAD_EVENTS = {
    2: ("timestamp", "'soon'", "timestamp b'soon': must be an integer"),
    3: ("timestamp", "99999999999999999", "years 1 to 9999"),
    4: ("entity_id", "CAST(x'ff' AS TEXT)", "is not UTF-8"),
    5: ("event_type", "CAST(x'610062' AS TEXT)", "NUL"),
    6: ("causation_id", "'x'", "causation_id b'x': must be an integer"),
    7: ("correlation_id", "CAST(x'ff' AS TEXT)", "is not UTF-8"),
    8: ("entity_id", "printf('%.*c', 1025, 'x')", "is 1025 UTF-8 bytes; the limit is 1024"),
    9: ("space_id", "'x'", "space_id b'x': must be an integer"),
    10: ("created_at", "1.5", "created_at 1.5: must be an integer"),
    11: ("payload", "5", "is bytes all the same"),
}


@pytest.fixture
def damaged(old):
    file = old(WITH_SPACES)
    file.insert("spaces", space(1, "a"), space(2, "b", "{broken"), space(3, "c", '"\\ud800"'))
    file.insert("events", *(spaced(number, 1, number) for number in range(1, 13)))
    for event_id, (column, value, _) in BAD_EVENTS.items():
        file.run(f"UPDATE events SET {column} = {value} WHERE event_id = {event_id}")
    file.insert("pstate_entities", pstate("good", space_id=1), pstate("bad", space_id=1))
    file.run("UPDATE pstate_entities SET updated_at = 'x' WHERE key = 'bad'")
    file.run("UPDATE pstate_entities SET value = 5 WHERE key = 'good'")
    file.run("INSERT INTO projection_checkpoints VALUES (1, 1, 'x', 5)")
    return file


def test_a_bad_row_is_named_and_those_after_it_are_read(damaged):
    with open_source(damaged.path) as source:
        bad: list[BadRow] = []
        events = list(source.events(bad.append))
        assert [each.event_id for each in events] == [1, 11, 12]
        assert [row.row for row in bad] == [(number,) for number in range(2, 11)]
        for row in bad:
            assert row.table == "events"
            (event_id,) = row.row
            assert isinstance(event_id, int)
            assert BAD_EVENTS[event_id][2] in row.rule
        bad.clear()
        assert [each.key for each in source.values(bad.append)] == ["good"]
        assert [row.where for row in bad] == ["pstate_entities 1 bad"]
        bad.clear()
        assert [each.name for each in source.checkpoints(bad.append)] == ["pstate"] * 3
        assert [row.where for row in bad] == ["projection_checkpoints 1"]
        assert [row.where for row in source.bad_spaces] == ["spaces 2", "spaces 3"]


def test_a_bad_row_is_an_error_for_who_does_not_ask(damaged):
    with open_source(damaged.path) as source:
        events = source.events()
        assert next(events).event_id == 1
        with pytest.raises(LegacyFormatError, match="events 2 b'soon': must be an integer"):
            next(events)


def test_rows_that_are_left_out_do_not_count(damaged):
    with open_source(damaged.path) as source:
        bad = list(source.bad_spaces)
        list(source.events(bad.append))
        list(source.values(bad.append))
        list(source.checkpoints(bad.append))
    with open_source(damaged.path, leave_out=bad) as source:
        assert [each.space_sequence for each in source.events()] == [1, 11, 12]
        assert [each.key for each in source.values()] == ["good"]
        assert [each.name for each in source.checkpoints()] == ["pstate"] * 3
        assert source.bad_spaces == ()
        first = source.spaces[0]
        assert (first.event_count, first.key_count, first.last_sequence) == (3, 1, 12)


def test_sequences_are_given_without_the_rows_that_are_left_out(old):
    file = old(BEFORE_SPACES)
    file.insert("events", event(1), event(2), event(3))
    with open_source(file.path, leave_out=[BadRow("events", (2,), "")]) as source:
        assert [(each.event_id, each.space_sequence) for each in source.events()] == [
            (1, 1),
            (3, 2),
        ]
        assert source.spaces[0].last_sequence == 2
