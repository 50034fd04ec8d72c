"""Finding events: by query, by time, from the end, by what caused them and what belongs together."""

import asyncio
from datetime import timedelta

import pytest

from ramax import DataError, MisuseError, NewEvent, Query, SpaceNotFoundError
from tests._domains import counter


async def numbers(stream):
    return [event.space_sequence async for event in stream]


@pytest.fixture
async def store(db):
    """Twelve events, two a moment: of types t0 to t2, of entities e0 and e1, every third tagged."""
    db._core.clock = db._core.attempts.clock = iter_clock()
    for name in ("other", "s"):
        store = await db.content_store(name, counter())
        for n in range(0, 12, 2):
            await store.events.append_many(
                [
                    NewEvent(
                        f"t{k % 3}", {}, entity_id=f"e{k % 2}", tags=["third"] if k % 3 == 2 else ()
                    )
                    for k in (n, n + 1)
                ]
            )
    return store


def iter_clock():
    """A clock that moves by a second whenever somebody looks."""
    now = 1_700_000_000_000_000

    def clock():
        nonlocal now
        now += 1_000_000
        return now

    return clock


async def test_a_stream_is_of_what_a_query_matches(db, store):
    assert await numbers(store.events.stream()) == list(range(1, 13))
    assert await numbers(store.events.stream(Query(["t0"]))) == [1, 4, 7, 10]
    assert await numbers(store.events.stream(Query(entities=["e1"]))) == [2, 4, 6, 8, 10, 12]
    assert await numbers(db.events.stream("s", Query(tags=["third"]))) == [3, 6, 9, 12]
    both = Query(["t0"]) | Query(tags=["third"], entities=["e1"])
    assert await numbers(db.events.stream(store.space, both)) == [1, 4, 6, 7, 10, 12]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
@pytest.mark.parametrize("query", [None, Query(["t0"]) | Query(entities=["e1"])])
async def test_pages_direction_and_bounds_do_not_change_what_there_is(store, batch_size, query):
    everything = [event async for event in store.events.stream(query)]
    for reverse in (False, True):
        for start, end, limit in (
            (0, None, None),
            (3, 11, None),
            (0, None, 4),
            (2, 9, 3),
            (5, 4, 1),
        ):
            wanted = [
                e.space_sequence for e in everything if start < e.space_sequence <= (end or 12)
            ]
            found = store.events.stream(
                query,
                from_sequence=start,
                to_sequence=end,
                limit=limit,
                reverse=reverse,
                batch_size=batch_size,
            )
            assert await numbers(found) == (wanted[::-1] if reverse else wanted)[:limit]


async def test_times_bound_a_stream_the_first_excluded_the_last_included(store):
    moments = [event.timestamp async for event in store.events.stream()]
    assert moments[0] == moments[1] < moments[2]
    stream = store.events.stream
    assert await numbers(stream(from_time=moments[1])) == list(range(3, 13))
    assert await numbers(stream(to_time=moments[3])) == [1, 2, 3, 4]
    assert await numbers(stream(from_time=moments[1], to_time=moments[5])) == [3, 4, 5, 6]
    just_before = moments[4] - timedelta(microseconds=1)
    assert await numbers(stream(from_time=just_before, to_time=moments[4])) == [5, 6]
    third = Query(tags=["third"])
    assert await numbers(stream(third, to_time=moments[6], reverse=True)) == [6, 3]
    assert await numbers(stream(from_time=moments[11])) == []


async def test_the_last_ones_come_in_order(db, store):
    assert [e.space_sequence for e in await store.events.last(3)] == [10, 11, 12]
    assert [e.space_sequence for e in await store.events.last(2, Query(["t0"]))] == [7, 10]
    assert [e.space_sequence for e in await db.events.last("s", 99)] == list(range(1, 13))
    assert await store.events.last(0) == []
    assert await db.events.last("default", 5) == []


async def test_effects_are_found_by_their_cause_and_correlation(db, store):
    cause = (await store.events.last(1))[0]
    linked = {"causation_id": cause.event_id, "correlation_id": "request-1"}
    for n in range(5):
        await store.events.append(f"e{n}", "effect", {}, **linked)
    await db.events.append("other", "e", "effect", {}, **linked)
    await store.events.append("e", "noted", {}, correlation_id="request-2")
    for given in (cause, cause.event_id):
        assert await numbers(store.events.caused_by(given)) == [13, 14, 15, 16, 17]
    assert await numbers(db.events.caused_by("other", cause)) == [13]
    found = store.events.caused_by(cause, reverse=True, limit=2, batch_size=1)
    assert await numbers(found) == [17, 16]
    assert await numbers(store.events.correlated("request-1", from_sequence=15)) == [16, 17]
    assert await numbers(db.events.correlated("s", "request-2")) == [18]
    assert await numbers(store.events.correlated("nothing")) == []
    assert await numbers(store.events.caused_by(10**9)) == []


async def test_what_a_reader_asks_wrongly_is_told_at_once(store):
    for wrong in ({"limit": -1}, {"batch_size": 0}, {"from_time": "now"}, {"from_sequence": None}):
        with pytest.raises(DataError):
            store.events.stream(**wrong)
    with pytest.raises(MisuseError):
        store.events.stream(["t0"])
    with pytest.raises(DataError):
        store.events.caused_by(0)
    with pytest.raises(DataError):
        store.events.correlated("")


async def test_a_deleted_space_has_no_stream(db, store):
    await db.spaces.delete("s", force=True)
    for stream in (
        store.events.stream(),
        store.events.stream(Query(["t0"])),
        store.events.stream(reverse=True),
        store.events.caused_by(1),
    ):
        with pytest.raises(SpaceNotFoundError):
            await numbers(stream)


async def test_events_that_come_meanwhile_are_read_too_but_not_backwards(store):
    async def reading(**options):
        seen: list[int] = []
        async for event in store.events.stream(batch_size=5, **options):
            if not seen:
                await store.events.append("e", "late", {})
            seen.append(event.space_sequence)
        return seen

    assert await reading() == list(range(1, 14))
    assert await reading(reverse=True) == list(range(13, 0, -1))


async def test_a_page_that_was_read_early_is_not_taken_for_the_end(store):
    seen: list[int] = []
    async for event in store.events.stream(batch_size=7):
        seen.append(event.space_sequence)
        if len(seen) == 7:  # where a read is a round trip, the rest is on its way
            await store.events.append("e", "late", {})
    assert seen == list(range(1, 14))


async def test_a_stream_that_is_left_has_nothing_on_its_way(db, store):
    before = len(asyncio.all_tasks())
    for _ in range(5):
        stream = store.events.stream(batch_size=2)
        assert (await anext(stream)).space_sequence == 1
        await stream.aclose()
        assert len(asyncio.all_tasks()) == before
    await db.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await numbers(store.events.stream(batch_size=2))


async def test_a_stream_that_fails_ahead_tells_it_in_order(db, store):
    seen: list[int] = []
    with pytest.raises(SpaceNotFoundError):
        async for event in store.events.stream(batch_size=4):
            seen.append(event.space_sequence)
            if len(seen) == 4:
                await db.spaces.delete("s", force=True)
    assert seen[:4] == [1, 2, 3, 4]
