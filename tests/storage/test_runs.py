from ramax import NewEvent
from ramax.core.sync.runs import ALONE, Newest
from ramax.storage import runs
from ramax.testing.records import record, records

ONE = b"device-of-origin"


async def rows_of(store):
    found = await store._core.read(
        lambda ex: runs.read_runs(ex, store.space.space_id, after=0, upto=10**6)
    )
    return [(run.sequence, run.origin == ONE, run.origin_seq) for run in found]


async def replicated(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    return store


async def test_commits_of_one_writer_add_no_row(db):
    store = await replicated(db)
    for n in range(5):
        await store.kv.put("a", n)
    await store.events.append_many([NewEvent("t", {}, entity_id="e")] * 40)
    await store.kv.put_many({f"k{n}": n for n in range(30)})
    assert await rows_of(store) == [(1, False, 1)]


async def test_a_run_ends_where_another_origin_comes_between(db):
    store = await replicated(db)
    await store.kv.put("a", 1)
    await store.replica.ingest([record(ONE, 1)])
    await store.kv.put("a", 2)
    await store.kv.put("a", 3)
    assert await rows_of(store) == [(1, False, 1), (2, True, 1), (3, False, 2)]


async def test_the_newest_event_is_found_for_every_origin(db):
    store = await replicated(db)
    await store.kv.put("a", 1)
    await store.replica.ingest(records(ONE, 1, 4))
    await store.kv.put("a", 2)
    await store.kv.put("a", 3)
    info = await store.replica.info()
    newest = await store._core.read(lambda ex: runs.read_newest(ex, store.space.space_id))
    assert newest == {info.origin: Newest(3, info.stamp), ONE: Newest(4, 4 << 16)}
    assert info.vector == {info.origin: 3, ONE: 4}


async def test_parts_lie_where_the_events_of_an_origin_are(db):
    store = await replicated(db)
    for n in range(3):
        await store.kv.put_many(dict.fromkeys(f"k{n}{k}" for k in range(4)))
        await store.replica.ingest([record(ONE, n + 1)])
    own = (await store.replica.info()).origin

    async def parts(origin, **bounds):
        found = await store._core.read(
            lambda ex: runs.read_parts(ex, store.space.space_id, origin, **bounds)
        )
        return [(part.first, part.last) for part in found]

    assert await parts(own, after=0, limit=100) == [(1, 4), (6, 9), (11, 14)]
    assert await parts(own, after=2, limit=5) == [(3, 4), (6, 8)]
    assert await parts(own, after=2, upto=7, limit=100) == [(3, 4), (6, 7)]
    assert await parts(own, after=12, limit=100) == []
    assert await parts(ONE, after=1, limit=1) == [(10, 10)]
    assert await parts(b"x" * 16, after=0, limit=1) == []


async def test_what_divides_a_run_changes_no_event(db):
    store = await replicated(db)
    for n in range(6):
        await store.kv.put("a", n)
    before = [each async for page in store.replica.read({}) for each in page]
    for sequence in (4, 4, 1, 6, 7):
        await store._core.locked(
            "a test", lambda ex, n=sequence: runs.divide(ex, store.space.space_id, n)
        )
    assert [sequence for sequence, *_ in await rows_of(store)] == [1, 4, 6]
    assert [each async for page in store.replica.read({}) for each in page] == before


async def test_events_move_to_another_origin_from_one_on(db):
    store = await replicated(db)
    for n in range(5):
        await store.kv.put("a", n)
    before = [each async for page in store.replica.read({}) for each in page]
    own, space_id = before[0].origin, store.space.space_id
    moved = await store._core.locked(
        "a test", lambda ex: runs.move_origin(ex, space_id, own, 4, ONE)
    )
    assert moved == 2
    assert (await store.replica.info()).vector == {own: 3, ONE: 2}
    after = {r.place: r for pages in [store.replica.read({})] async for p in pages for r in p}
    assert [stamp for stamp, *_ in sorted(after)] == [each.stamp for each in before]


async def test_late_events_are_told_from_others_of_a_run(db):
    store = await replicated(db)
    await store.kv.put("a", 1)
    await store.replica.ingest(records(ONE, 1, 3))
    await store.kv.put("a", 2)
    space_id = store.space.space_id

    def late(after, upto):
        return store._core.read(lambda ex: runs.read_late(ex, space_id, after=after, upto=upto))

    assert await late(0, 5) == [2, 3, 4]
    assert await late(2, 3) == [3]
    assert await late(4, 5) == []
    assert await store._core.read(lambda ex: runs.read_first_late(ex, space_id)) == 2
    await store._core.locked("a test", lambda ex: runs.mark_first_late(ex, space_id))
    assert await late(0, 1) == [1]
    (first, *_) = await store._core.read(lambda ex: runs.read_runs(ex, space_id, after=0, upto=1))
    assert (first.sequence, first.late, first.rule != ALONE) == (1, True, True)
