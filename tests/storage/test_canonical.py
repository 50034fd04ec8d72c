import random

import ramax
from ramax.storage import canonical
from ramax.storage.canonical import (
    CanonicalPages,
    numbered,
    read_entity_in_order,
    read_late_stamp,
    read_stamps,
)
from ramax.storage.events import FOREVER, read_page
from ramax.storage.records import read_late_types
from ramax.storage.runs import read_late
from ramax.testing.records import record

ORIGINS = [bytes([n]) * 16 for n in (200, 3, 90)]
_SEQUENCE = 2


async def scrambled(db, seed: int):
    """A space with what three other origins wrote, come in some order; and what that is."""
    rng = random.Random(seed)
    store = await db.content_store("notes")
    await store.replica.enable()
    stamps = dict.fromkeys(ORIGINS, 0)
    waiting = {
        origin: [
            record(origin, n, stamp=(stamps := stamps | {origin: stamps[origin] + rng.choice([1, 1, 9])})[origin])
            for n in range(1, rng.choice([5, 60, 120]))
        ]
        for origin in ORIGINS
    }  # fmt: skip
    given = [each for records in waiting.values() for each in records]
    while any(waiting.values()):
        origin = rng.choice([o for o in ORIGINS if waiting[o]])
        count = rng.choice([1, 2, 30])
        await store.replica.ingest(waiting[origin][:count])
        del waiting[origin][:count]
    return store, sorted(each.place for each in given)


async def read_all(store, limit, upto=FOREVER):
    pages, found = CanonicalPages(store.space.space_id), []
    while page := await store._core.read(lambda ex: pages.next_page(ex, limit, upto)):
        assert len(page) <= limit
        assert await store._core.read(lambda ex: pages.next_page(ex, limit, upto)) == page
        pages.taken()
        found += page
    return found


async def test_events_come_in_the_order_of_stamps_whatever_the_page(memory_url):
    for seed in range(4):
        async with ramax.connect(memory_url) as db:
            store, expected = await scrambled(db, seed)
            for limit in (1, 7, 1000):
                found = await read_all(store, limit)
                assert [row[_SEQUENCE] for row in found] == [stamp for stamp, *_ in expected]


async def test_they_come_that_way_from_every_database(db):
    store, expected = await scrambled(db, 11)
    found = await read_all(store, 20)
    assert [(row[_SEQUENCE], row[3]) for row in found] == [
        (stamp, f"note:{seq}") for stamp, _, seq in expected
    ]


async def test_nothing_above_a_bound_is_read(db):
    store, _ = await scrambled(db, 5)
    rows = await store._core.read(
        lambda ex: read_page(ex, store.space.space_id, after=0, upto=20, limit=99)
    )
    found = await read_all(store, 6, upto=20)
    assert sorted(row[0] for row in found) == [row[0] for row in rows]
    assert [row[_SEQUENCE] for row in found] == sorted(row[_SEQUENCE] for row in found)


async def test_what_comes_meanwhile_is_read_if_it_is_not_too_late(db):
    one, two, _ = ORIGINS
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest([record(one, 1, stamp=50)])
    pages = CanonicalPages(store.space.space_id)

    async def page():
        rows = await store._core.read(lambda ex: pages.next_page(ex, 10, FOREVER))
        pages.taken()
        return [row[_SEQUENCE] for row in rows]

    assert await page() == [50]
    assert await page() == []
    await store.replica.ingest([record(two, 1, stamp=40), record(two, 2, stamp=60)])
    assert await page() == [60]


async def test_events_of_an_entity_are_numbered_by_their_stamps(db):
    one, two, _ = ORIGINS
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest([record(one, n, stamp=50 + n, entity_id="e") for n in (1, 2)])
    await store.replica.ingest([record(two, 1, stamp=52, entity_id="e"), record(two, 2, stamp=90)])
    rows = await store._core.read(
        lambda ex: read_entity_in_order(ex, store.space.space_id, "e", upto=99, limit=9)
    )
    assert [row[-1] for row in rows] == [51, 52, 52]
    assert [row[_SEQUENCE] for row in rows] == [1, 3, 2]  # of equal stamps: by origin


async def test_events_of_a_page_are_numbered_and_stay_in_the_order_of_the_log(db):
    one, two, _ = ORIGINS
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest([record(one, n, stamp=50 + n) for n in (1, 2, 3)])
    await store.replica.ingest([record(two, 1, stamp=9)])
    space_id = store.space.space_id

    def work(ex):
        return numbered(ex, space_id, read_page(ex, space_id, after=1, limit=9))

    assert [row[_SEQUENCE] for row in await store._core.read(work)] == [52, 53, 9]


async def test_stamps_and_late_types_of_a_part_are_told(db):
    one, two, _ = ORIGINS
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest([record(one, n, stamp=50 + n) for n in (1, 2, 3)])
    late = [record(two, 1, stamp=9, event_type="late"), record(two, 2, stamp=10, event_type="odd")]
    await store.replica.ingest(late)
    await store.replica.ingest([record(two, 3, stamp=60, event_type="new")])
    space_id = store.space.space_id

    def of(read, after, upto):
        return store._core.read(lambda ex: read(ex, space_id, after=after, upto=upto))

    assert await of(read_stamps, 1, 4) == {2: (52, False), 3: (53, False), 4: (9, False)}
    assert await of(read_stamps, 6, 9) == {}
    assert [await of(read_late_stamp, *part) for part in ((0, 6), (4, 6), (5, 6))] == [9, 10, None]
    assert await of(read_late_types, 0, 6) == {"late", "odd"}
    assert await of(read_late_types, 4, 6) == {"odd"}
    assert await of(read_late_types, 5, 6) == frozenset()
    await store.replica.ingest([record(one, 4, stamp=55, event_type="again")])
    assert await of(read_late_types, 0, 7) == {"late", "odd", "again"}


async def test_the_lowest_stamp_of_late_events_is_found_in_any_part_of_a_log(db, monkeypatch):
    monkeypatch.setattr(canonical, "_PART", 7)
    store, given = await scrambled(db, 5)
    rng, space_id = random.Random(5), store.space.space_id

    def work(ex):
        for _ in range(60):
            after, upto = sorted(rng.sample(range(len(given) + 1), 2))
            stamps = read_stamps(ex, space_id, after=after, upto=upto)
            late = [stamps[n][0] for n in read_late(ex, space_id, after=after, upto=upto)]
            found = read_late_stamp(ex, space_id, after=after, upto=upto)
            assert found == min(late, default=None)

    await store._core.read(work)


async def test_pages_go_on_after_any_place(db):
    store, given = await scrambled(db, 6)
    rng, space_id = random.Random(6), store.space.space_id

    def work(ex):
        whole = CanonicalPages(space_id)
        rows = [*whole.next_page(ex, 10**6, FOREVER)]
        for _ in range(10):
            first = CanonicalPages(space_id)
            passed = len(first.next_page(ex, rng.randint(1, len(rows)), FOREVER))
            first.taken()
            assert first.place.events == passed
            rest = CanonicalPages(space_id)
            rest.go_on_after(first.place)
            assert [*rest.next_page(ex, 10**6, FOREVER)] == rows[passed:]
        return len(rows)

    assert await store._core.read(work) == len(given)
