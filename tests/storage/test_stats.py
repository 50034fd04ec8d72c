from ramax.storage.stats import read_stats
from tests._counting import counted
from tests._domains import delete, documents, put


async def test_counts_are_those_of_each_space_whatever_its_checkpoints(db):
    full = await db.content_store("full", documents())
    empty = await db.spaces.create("empty")
    for key in ("a", "b", "c"):
        await full.execute(put, (key, {"n": 1}))
    await full.execute(delete, "c")
    for name in ("mailer", "search"):  # each is a row that must not multiply the counts
        await full.update_checkpoint(2, name=name)
    one, none = await db._core.read(read_stats)
    assert (one.space, none.space) == (full.space, empty)
    assert (one.event_count, one.key_count) == (4, 2)
    assert one.checkpoints == {"pstate": 4, "mailer": 2, "search": 2}
    assert (none.event_count, none.key_count, none.bytes) == (0, 0, 0)
    assert (none.checkpoints, none.last_event_at) == ({"pstate": 0}, None)
    last = [event async for event in full.events.stream_space_events()][-1]
    assert one.last_event_at == last.timestamp


async def test_one_space_is_counted_as_among_all_and_a_missing_one_is_no_row(db):
    stores = [await db.content_store(name, documents()) for name in ("a", "b")]
    for store in stores:
        await store.execute(put, ("k", {}))
    every = await db._core.read(read_stats)
    for store, expected in zip(stores, every, strict=True):
        space_id = store.space.space_id
        assert await db._core.read(lambda ex, s=space_id: read_stats(ex, s)) == [expected]
    assert await db._core.read(lambda ex: read_stats(ex, 99)) == []


async def test_the_bytes_are_those_of_payloads_and_values(db):
    store = await db.content_store("s", documents())
    await store.execute(put, ("k", {"n": 1}))
    packed = len(b"\x81\xa1n\x01")
    (stats,) = await db._core.read(read_stats)
    assert stats.bytes == 2 * packed


async def test_all_spaces_are_counted_with_one_statement(durable_db):
    for at in range(5):
        await durable_db.spaces.create(f"s{at}")
    async with counted(durable_db) as calls:
        assert len(await durable_db._core.read(read_stats)) == 5
    assert calls.statements == 1


async def test_a_fork_counts_what_it_has_of_others_and_bytes_of_its_own(db):
    store = await db.content_store("a")
    events = [await store.events.append("e", "t", {"n": n}) for n in range(3)]
    made = await db.branches.fork("main", "one", at={"a": 2})
    await db.branches.fork("one", "two")
    for name in ("one", "two"):
        (stats,) = [s for s in await db.at_branch(name).spaces.stats() if s.space.space_name == "a"]
        assert (stats.event_count, stats.key_count, stats.bytes) == (2, 0, 0)
        assert stats.last_event_at == events[1].timestamp
    assert [s.event_count for s in await db._core.read(read_stats)] == [3]
    found = await db._core.read(lambda ex: read_stats(ex, branch_id=made.branch_id))
    assert [s.event_count for s in found] == [2]
