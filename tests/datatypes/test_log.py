"""The log: dense sequences, ranges, and types."""

from datetime import UTC, datetime, timedelta

import pytest

from ramax import Commit, DataError
from tests._each import each
from tests._elsewhere import wrote


async def fill(store, count=6):
    return await store.log.append_many(
        [("even" if n % 2 == 0 else "odd", {"n": n}) for n in range(1, count + 1)]
    )


async def test_entries_have_a_sequence_of_their_own(store):
    await store.kv.put("a", 1)
    assert await store.log.len() == 0
    first = await store.log.append("call", {"n": 1})
    await store.kv.put("a", 2)
    second = await store.log.append_many([("call", {"n": 2}), ("answer", {})])
    assert issubclass(type(first), Commit)
    assert (first.sequence, second.sequences) == (1, (2, 3))
    assert [e.sequence for e in await store.log.range()] == [1, 2, 3]
    assert await store.log.len() == 3
    assert await store.log.len("call") == 2
    assert await store.log.len("never") == 0
    assert await store.log.types() == {"answer": 1, "call": 2}


async def test_an_entry_is_what_was_appended(store):
    await store.log.append("call", {"n": 1})
    entry = await store.log.get(1)
    assert (entry.sequence, entry.type, entry.payload) == (1, "call", {"n": 1})
    assert entry.timestamp.utcoffset() == timedelta(0)
    assert entry.previous_hash == bytes(32)
    assert await store.log.get(2) is None
    assert await store.log.get(0) is None


async def test_a_range_is_half_open_and_can_be_walked_backwards(store):
    await fill(store)

    async def sequences(*bounds, **options):
        return [e.sequence for e in await store.log.range(*bounds, **options)]

    assert await sequences(2, 5) == [2, 3, 4]
    assert await sequences(2, 2) == []
    assert await sequences(5, 2) == []
    assert await sequences(4) == [4, 5, 6]
    assert await sequences(0, 99) == [1, 2, 3, 4, 5, 6]
    assert await sequences(2, 6, reverse=True) == [5, 4, 3, 2]
    assert await sequences(reverse=True, limit=2) == [6, 5]
    assert await sequences(event_type="odd") == [1, 3, 5]
    assert await sequences(event_type="odd", limit=2, reverse=True) == [5, 3]
    assert await sequences(2, 6, event_type="even", limit=1) == [2]
    assert await sequences(limit=0) == []
    assert await sequences(event_type="none") == []
    assert [e.sequence async for e in store.log.range(5)] == [5, 6]


async def test_entries_are_found_by_time(store):
    times = []
    for n in range(4):
        await store.log.append("t", {"n": n})
        times.append((await store.log.get(n + 1)).timestamp)

    async def numbers(*bounds, **options):
        return [e.payload["n"] for e in await store.log.range_by_time(*bounds, **options)]

    apart = timedelta(microseconds=1)
    assert await numbers(times[0]) == [0, 1, 2, 3]
    assert await numbers(times[3] + apart) == []
    assert await numbers(times[0] - timedelta(days=1), times[-1] + apart) == [0, 1, 2, 3]
    assert await numbers(times[0], times[0]) == []
    if len(set(times)) == 4:
        assert await numbers(times[1], times[3]) == [1, 2]
    assert await numbers(times[0], reverse=True, limit=1) == [3]
    for wrong in (datetime(2024, 1, 1), 5):  # noqa: DTZ001 - that is the point
        with pytest.raises(DataError):
            await store.log.range_by_time(wrong)
    assert [e async for e in store.log.range_by_time(datetime.now(UTC) + timedelta(days=1))] == []


async def test_a_long_log_is_read_page_by_page(store):
    await fill(store, 2300)
    assert [e.sequence for e in await store.log.range()] == list(range(1, 2301))
    assert [e.sequence for e in await store.log.range(reverse=True, limit=1500)][-1] == 801
    assert len(await store.log.range(event_type="odd", limit=1100)) == 1100
    found = await store.log.verify()
    assert (found.length, found.valid) == (2300, True)


@each("wrong", ["", "a\0", "x" * 246, None, 1])
async def test_what_cannot_be_a_type_is_refused(store, wrong):
    with pytest.raises(DataError):
        await store.log.append(wrong, {})
    assert await store.log.len() == 0


@each("wrong", [None, [1], "text", 5, {1: 2}, {"a": object()}])
async def test_a_payload_is_a_map_of_what_can_be_stored(store, wrong):
    with pytest.raises(DataError):
        await store.log.append_many([("t", {}), ("t", wrong)])
    assert await store.log.len() == 0


@each("wrong", [5, [("a",)], ["ab", 5], [("a", {}, 1)]])
async def test_what_is_no_batch_is_refused(store, wrong):
    with pytest.raises(DataError):
        await store.log.append_many(wrong)


async def test_bounds_are_checked_at_once(store):
    for wrong in (-1, "1", 1.5):
        with pytest.raises(DataError):
            store.log.range(wrong)
        with pytest.raises(DataError):
            store.log.range(1, wrong)
        with pytest.raises(DataError):
            store.log.range(limit=wrong)


async def test_a_range_of_time_is_whole_where_the_times_of_replicas_fall(store):
    """What a phone wrote on a slow clock stands behind what was written before, and is found."""
    await store.replica.enable()
    await store.log.append("call", {"n": 1})
    ahead = 1 << 45  # ms; not for the phone, whose stamps follow those that it has seen
    stamp = (await store.replica.info()).stamp >> 16
    phone = [
        wrote(1, "log.call", "entries", {"n": 4}, 7, timestamp=6_000_000),
        wrote(2, "log.call", "entries", {"n": 2}, stamp + 1, timestamp=5_000_000),
        wrote(3, "log.call", "entries", {"n": 3}, stamp + 2, timestamp=ahead * 1000),
    ]
    await store.replica.ingest(phone)
    await store.log.append("call", {"n": 5})

    async def numbers(*bounds, **options):
        return [e.payload["n"] for e in await store.log.range_by_time(*bounds, **options)]

    first, last = (datetime.fromtimestamp(at, UTC) for at in (5, 7))
    assert [e.payload["n"] for e in await store.log.range()] == [4, 1, 2, 3, 5]
    assert await numbers(first, last) == [4, 2]
    assert await numbers(first, last, reverse=True, limit=1) == [2]
    assert await numbers(first, last, limit=1) == [4]
    assert await numbers(first, last, limit=0) == []
    assert await numbers(last) == [1, 3, 5]
    assert await numbers(first, last, event_type="odd") == []
