"""Keys and values: what was put is there, in this space and no other."""

from datetime import UTC, datetime, timedelta

import pytest

from ramax import Commit, DataError, MisuseError
from ramax.core.equality import same_value
from ramax.datatypes import KeyVersion
from tests._each import each
from tests._elsewhere import wrote
from tests._values import EVERY_TYPE


async def test_what_was_put_is_there_and_what_was_not_is_none(store):
    commit = await store.kv.put("a", {"n": [1]})
    assert type(commit) is Commit
    assert (commit.space_sequence, commit.events[0].event_type) == (1, "ramax.kv.put")
    assert await store.kv.get("a") == {"n": [1]}
    assert await store.kv.get("b") is None
    assert await store.kv.get("b", 5) == 5


async def test_every_value_that_ramax_stores_comes_back(store):
    await store.kv.put("all", EVERY_TYPE)
    assert same_value(await store.kv.get("all"), EVERY_TYPE)


async def test_a_value_of_none_is_there(store):
    await store.kv.put("a", None)
    assert await store.kv.exists("a")
    assert await store.kv.get("a", 5) is None
    assert not await store.kv.exists("b")
    assert await store.kv.get_many(["b", "a"]) == {"a": None}


async def test_a_delete_says_whether_there_was_anything(store):
    await store.kv.put("a", 1)
    assert await store.kv.delete("a") is True
    assert await store.kv.delete("a") is False
    assert await store.kv.get("a") is None
    assert await store.events.get_space_latest_sequence() == 2


async def test_batches_keep_their_order_and_the_last_of_equal_keys_counts(store):
    commit = await store.kv.put_many([("b", 1), ("a", 2), ("b", 3)])
    assert [e.entity_id for e in commit.events] == ["ramax.kv:b", "ramax.kv:a"]
    assert await store.kv.get_many(["a", "b", "c", "a"]) == {"a": 2, "b": 3}
    gone = await store.kv.delete_many(["a", "c", "a"])
    assert len(gone.events) == 1
    assert await store.kv.list() == ["b"]
    assert (await store.kv.put_many({})).events == ()


async def test_a_batch_is_written_as_a_whole_or_not_at_all(store):
    with pytest.raises(DataError):
        await store.kv.put_many({"a": 1, "b": object()})
    with pytest.raises(DataError):
        await store.kv.put_many([("a", 1), ("", 2)])
    assert await store.kv.count() == 0
    assert await store.events.get_space_latest_sequence() == 0


async def test_keys_are_listed_by_prefix_in_byte_order_page_by_page(store):
    keys = ["a", "a:1", "a:2", "a1", "B", "b", "ä", "\x01odd", "a\U0010ffff"]
    await store.kv.put_many(dict.fromkeys(keys, 0))
    assert await store.kv.list() == sorted(keys)
    assert await store.kv.list("a:") == ["a:1", "a:2"]
    assert await store.kv.list("a", limit=2) == ["a", "a1"]
    pages, after = [], None
    while page := await store.kv.list("a", limit=2, after=after):
        pages += page
        after = page[-1]
    assert pages == sorted(key for key in keys if key.startswith("a"))
    assert await store.kv.count("a") == len(pages)
    assert [pair async for pair in store.kv.iter("b")] == [("b", 0)]
    assert await store.kv.list(limit=0) == []


async def test_listing_never_stops_early(store):
    await store.kv.put_many({f"{n:05}": n for n in range(2500)})
    assert await store.kv.list() == [f"{n:05}" for n in range(2500)]
    assert await store.kv.count() == 2500
    assert [v async for _, v in store.kv.iter("02")] == list(range(2000, 2500))


async def test_the_history_of_a_key_has_every_value_and_every_end(store):
    await store.kv.put("a", 1)
    await store.kv.put("other", 0)
    await store.kv.delete("a")
    await store.kv.put("a", 3)
    found = await store.kv.history("a")
    assert [(v.value, v.deleted, v.space_sequence) for v in found] == [
        (3, False, 4),
        (None, True, 3),
        (1, False, 1),
    ]
    assert found[0].timestamp >= found[2].timestamp
    assert isinstance(found[0], KeyVersion)
    assert await store.kv.history("a", limit=1) == found[:1]
    assert await store.kv.history("never") == []


async def test_an_event_of_somebody_elses_about_such_an_entity_is_no_value(store):
    await store.kv.put("a", 1)
    await store.events.append("ramax.kv:a", "mine", {"value": 2})
    assert [v.value for v in await store.kv.history("a", limit=1)] == [1]
    assert await store.kv.get("a", as_of=2) == 1


async def test_a_value_as_of_a_point_of_the_history(store):
    start = datetime.now(UTC)
    for value in (1, 2):
        await store.kv.put("a", value)
    await store.kv.delete("a")
    await store.kv.put("a", 4)
    assert [await store.kv.get("a", as_of=n) for n in range(5)] == [None, 1, 2, None, 4]
    assert await store.kv.get("a", "-", as_of=3) == "-"
    assert await store.kv.get("a", as_of=start - timedelta(days=1)) is None
    assert await store.kv.get("a", as_of=(await store.kv.history("a"))[0].timestamp) == 4
    for beyond in (5, datetime.now(UTC) + timedelta(days=1)):
        with pytest.raises(DataError):
            await store.kv.get("a", as_of=beyond)
    async with store.transaction() as tx:
        with pytest.raises(MisuseError, match="as_of"):
            await tx.kv.get("a", as_of=1)


@each("wrong", ["", "a\0", "x" * 901, None, 1, "\ud800"])
async def test_what_cannot_be_a_key_is_refused_and_nothing_written(store, wrong):
    for attempt in (
        lambda: store.kv.put(wrong, 1),
        lambda: store.kv.put_many([(wrong, 1)]),
        lambda: store.kv.get(wrong),
        lambda: store.kv.get_many([wrong]),
        lambda: store.kv.delete(wrong),
        lambda: store.kv.exists(wrong),
        lambda: store.kv.history(wrong),
    ):
        with pytest.raises(DataError) as caught:
            await attempt()
        assert caught.value.code.startswith("data")
    assert await store.events.get_space_latest_sequence() == 0


@each("wrong", ["ab", 5, None, [1]])
async def test_what_is_no_batch_is_refused(store, wrong):
    with pytest.raises(DataError):
        await store.kv.put_many(wrong)
    with pytest.raises(DataError):
        await store.kv.get_many(wrong)


async def test_a_value_that_is_too_large_is_refused(store):
    with pytest.raises(DataError) as caught:
        await store.kv.put("a", b"x" * (16 * 1024 * 1024))
    assert caught.value.code == "data.codec"
    assert await store.kv.count() == 0


async def test_among_replicas_the_newest_value_is_what_folds_last_also_in_history(store):
    await store.replica.enable()
    await store.kv.put("k", "here")
    await store.replica.ingest([wrote(1, "kv.put", "k", {"value": "late"}, 7)])
    assert await store.kv.get("k") == "here"
    assert [each.value for each in await store.kv.history("k")] == ["here", "late"]
    assert [each.value for each in await store.kv.history("k", limit=1)] == ["here"]
    assert [each.space_sequence for each in await store.kv.history("k")] == [1, 2]
    assert await store.kv.get("k", as_of=1) == await store.kv.get("k", as_of=2) == "here"
    assert await store.as_of(2).kv.get("k") == "here"
    assert [each.value for each in await store.as_of(1).kv.history("k")] == ["here"]
    async with store.transaction() as tx:
        assert [each.value for each in await tx.kv.history("k")] == ["here", "late"]
