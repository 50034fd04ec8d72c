import pytest

from ramax.core.codec import encode
from ramax.core.guard import Guard
from ramax.core.state import Tagged
from ramax.storage.reads import (
    packed,
    read_event_types,
    read_facts,
    read_known,
    read_nearest,
    read_range,
    read_values,
)
from tests._domains import documents, put


@pytest.fixture
async def store(db):
    store = await db.content_store("s", documents())
    await store.execute(put, ("a", {"n": 1}))
    await store.execute(put, ("b", {"n": 2}))
    await store.events.append("a", "doc.seen", {})
    return store


async def test_facts_are_the_guard_and_the_values_that_were_asked_for(db, store):
    space_id = store.space.space_id
    facts = (await db._core.read(lambda ex: read_facts(ex, {space_id: ["a", "none"]})))[space_id]
    assert facts.space_name == "s"
    assert facts.values == {"a": encode({"n": 1}, "value"), "none": None}
    guard = facts.guard
    assert isinstance(guard, Guard)
    assert (guard.last_sequence, guard.checkpoint) == (3, 2)
    assert guard.domains == frozenset({"documents"})
    last = [event async for event in store.events.stream_space_events()][-1]
    assert guard.last_timestamp == last.micros


async def test_a_missing_space_is_absent_and_one_without_keys_has_its_guard(db, store):
    empty = (await db.spaces.create("empty")).space_id
    wanted = {99: ["a"], empty: [], store.space.space_id: ["b"]}
    found = await db._core.read(lambda ex: read_facts(ex, wanted))
    assert set(found) == {empty, store.space.space_id}
    assert found[empty].guard == Guard(0, 0, 0, 0, None)
    assert found[empty].values == {}
    assert await db._core.read(lambda ex: read_facts(ex, {})) == {}


async def test_a_key_of_one_space_is_not_seen_in_another(db, store):
    other = await db.content_store("other", documents())
    await other.execute(put, ("b", {"n": 3}))
    ids = store.space.space_id, other.space.space_id
    found = await db._core.read(lambda ex: read_facts(ex, {s: ["a", "b"] for s in ids}))
    assert found[ids[1]].values == {"a": None, "b": encode({"n": 3}, "value")}
    assert found[ids[0]].values["b"] == encode({"n": 2}, "value")
    whole = await db._core.read(lambda ex: read_range(ex, ids[1], "", "~"))
    assert whole == {"b": encode({"n": 3}, "value")}
    for end in ("lowest", "highest"):
        found = [
            await db._core.read(lambda ex, s=s, end=end: read_nearest(ex, s, "a", "b", end))
            for s in ids
        ]
        assert found == ["a", None], end


async def test_event_types_are_those_up_to_a_sequence(db, store):
    space_id = store.space.space_id
    assert await db._core.read(lambda ex: read_event_types(ex, space_id, 2)) == {"doc.put"}
    both = {"doc.put", "doc.seen"}
    assert await db._core.read(lambda ex: read_event_types(ex, space_id, 3)) == both


def test_a_value_in_another_format_keeps_its_tag():
    assert packed(b"x", "msgpack") == b"x"
    assert packed(b"{}", "json") == Tagged(b"{}", "json")


@pytest.mark.postgres
@pytest.mark.parametrize("alone", [True, False])
async def test_values_of_known_spaces_come_with_a_none_for_each_missing_key(db_on_postgres, alone):
    store = await db_on_postgres.content_store("s", documents())
    await store.execute(put, ("a", {}))
    wanted = {store.space.space_id: ["a", "none"]} | ({} if alone else {99: ["a"]})
    found = await db_on_postgres._core.read(lambda ex: read_known(ex, wanted))
    expected = {store.space.space_id: {"a": encode({}, "value"), "none": None}}
    assert found == expected | ({} if alone else {99: {"a": None}})


async def test_values_of_many_keys_come_with_a_none_for_each_that_is_missing(db):
    store = await db.content_store("s", documents())
    odd = ["a'b", 'a"b', "a\\b", "ä\U0001f600", "a\tb", "[1]", "null", "7", " "]
    for key in odd:
        await store.execute(put, (key, {"is": key}))
    other = await db.content_store("other", documents())
    await other.execute(put, ("theirs", {}))
    wanted = [*odd, "none", "theirs", "A'B"]
    for count in range(len(wanted) + 1):
        keys = wanted[:count]
        found = await db._core.read(
            lambda ex, keys=keys: read_values(ex, store.space.space_id, keys)
        )
        expected = {k: encode({"is": k}, "value") if k in odd else None for k in keys}
        assert found == expected
        assert list(found) == keys
