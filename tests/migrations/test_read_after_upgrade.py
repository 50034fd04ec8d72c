"""An upgraded database through the public interface: everything reads, and life goes on."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

import ramax
from ramax import Domain, NewEvent, Ref
from ramax.errors import SchemaOutOfDateError
from tests.migrations.elixir import ALTERED_BY_HAND, BEFORE_SPACES, ElixirFile, etf, event

DATA = Path(__file__).parents[1] / "data" / "legacy"

counts = Domain("counts", entity_id=lambda _payload: "all")


@counts.applicator("*")
def counted(state, event):
    state["count"] = state.get("count", 0) + 1


def count(state, params):
    return [NewEvent("counted", {"at": state.get("count", 0)})]


def expected(told):
    """Turn what the samples' JSON says into the Python value that it means."""
    if isinstance(told, dict):
        return Ref(told["$ref"]) if "$ref" in told else {k: expected(v) for k, v in told.items()}
    return [expected(item) for item in told] if isinstance(told, list) else told


def typed(value):
    """Spell out every type, so that == compares types too."""
    if isinstance(value, dict):
        return {(type(key), key): typed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [typed(item) for item in value]
    return type(value), value


@pytest.fixture(params=["sample_legacy", "sample_spaces"])
def sample(request, tmp_path):
    path = shutil.copy(DATA / f"{request.param}.db", tmp_path)
    return path, json.loads((DATA / f"{request.param}.json").read_text())


async def test_an_old_database_is_refused_until_it_is_asked_to_be_upgraded(sample):
    path, _ = sample
    with pytest.raises(SchemaOutOfDateError, match="ramax db upgrade"):
        async with ramax.connect(path):
            pass


async def test_all_that_elixir_wrote_reads_value_by_value_and_type_by_type(sample):
    path, told = sample
    spaces = {each.get("space_id", 1) for each in told["events"]}
    async with ramax.connect(path, upgrade=True) as db:
        events, values = [], {}
        for space_id in spaces:
            space = await db.spaces.get(space_id)
            store = await db.content_store(space.space_name, create=False)
            events += [each async for each in store.events.stream_space_events()]
            async for key, value in store.pstate.scan():
                values[space_id, key] = value
    events.sort(key=lambda each: each.event_id)
    assert [typed(each.payload) for each in events] == [
        typed(expected(each["payload"])) for each in told["events"]
    ]
    for found, each in zip(events, told["events"], strict=True):
        assert int(found.timestamp.timestamp() * 1000 + 0.5) == each["timestamp_ms"]
        for name in ("event_id", "entity_id", "event_type", "causation_id", "correlation_id"):
            assert getattr(found, name) == each[name]
    assert {key: typed(value) for key, value in values.items()} == {
        (each.get("space_id", 1), each["key"]): typed(expected(each["value"]))
        for each in told["pstate"]
        if each.get("space_id", 1) in spaces  # the others were deleted, or cut out of the sample
    }


async def test_life_goes_on_where_it_was(sample):
    path, told = sample
    async with ramax.connect(path, upgrade=True) as db:
        for space in await db.spaces.list_all():
            known = [e for e in told["events"] if e.get("space_id", 1) == space.space_id]
            if not known:
                continue
            store = await db.content_store(space.space_name, counts, create=False)
            commit = await store.execute(count)
            assert commit.space_sequence == len(known) + 1
            assert commit.event_ids[0] > told["events"][-1]["event_id"]
            await store.rebuild_pstate()
            assert await store.pstate.fetch("count") == len(known) + 1
            newest = [each async for each in store.events.stream_space_events()][-1]
            assert newest.payload == {"at": 0}
    connection = sqlite3.connect(path)
    formats = connection.execute("SELECT DISTINCT format FROM events ORDER BY 1").fetchall()
    connection.close()
    assert formats == [("etf",), ("msgpack",)]


async def test_what_was_appended_after_the_guides_statements_is_folded_once_at_last(tmp_path):
    file = ElixirFile(tmp_path / "elixir.db", BEFORE_SPACES)
    payload = etf(b"")[:1] + b"t\x00\x00\x00\x00"  # an empty map
    file.insert("events", *(event(number, payload=payload) for number in (1, 2, 3)))
    file.insert("pstate_entities", {"key": "count", "value": b"\x83a\x03"})
    file.run(ALTERED_BY_HAND)
    later = {"space_id": 1, "payload": payload}
    file.insert("events", event(4, space_sequence=1, **later), event(5, space_sequence=2, **later))
    async with ramax.connect(file.path, upgrade=True) as db:
        store = await db.content_store("default", counts, create=False)
        assert await store.pstate.fetch("count") == 5
        assert (await store.execute(count)).space_sequence == 6
        assert await store.pstate.fetch("count") == 6
        before = await store.pstate.fetch("count")
        await store.rebuild_pstate()
        assert await store.pstate.fetch("count") == before
