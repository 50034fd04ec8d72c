import asyncio

import pytest

import ramax
from ramax import ChainHead, NewEvent
from ramax.core.chain import BEGINNING, next_hash
from ramax.errors import Rejected, SpaceNotFoundError
from ramax.runtime import chain as runtime_chain
from ramax.storage.chain import hash_of, read_hashes
from ramax.storage.events import read_page
from tests._counting import counted
from tests._domains import add, counter, documents, nothing, put, refuse


async def expected(db: ramax.Database, store: ramax.ContentStore) -> ChainHead:
    """The head by an independent replay over the stored rows."""
    rows = await db._core.read(lambda ex: read_page(ex, store.space.space_id, after=0, limit=10**6))
    value = BEGINNING
    for row in rows:
        value = next_hash(value, list(row[2:13]))
    return ChainHead(len(rows), value)


async def check(db: ramax.Database, store: ramax.ContentStore) -> None:
    """The head is right, each event has its hash, and the verification agrees."""
    head = await expected(db, store)
    assert await db.spaces.hash_chain_head(store.space) == head
    report = await store.verify()
    assert (report.findings, report.chained) == ((), head.space_sequence)


async def test_a_space_has_no_chain_unless_it_asks(db):
    store = await db.content_store("s", counter())
    await store.execute(add)
    assert await db.spaces.hash_chain_head("s") is None
    assert (await store.verify()).chained is None


async def test_every_way_to_append_goes_on_with_the_chain(db):
    store = await db.content_store("s", counter())
    other = await db.content_store("other", counter())
    assert await db.spaces.enable_hash_chain("s") == ChainHead(0, BEGINNING)
    await store.execute(add)
    await check(db, store)
    await store.execute_many([(add, None)] * 3)
    await store.events.append("e", "noted", {"x": 1}, metadata={"m": 1}, correlation_id="c")
    await store.events.append_many([NewEvent("noted", {}, entity_id="e", tags=["b", "a"])])
    await store.events.append_many([NewEvent("noted", {}, entity_id="é")] * 2, causation_id=1)
    await check(db, store)
    await asyncio.gather(*(s.execute(add) for s in (store, other) for _ in range(20)))
    await check(db, store)
    async with store.transaction() as tx:
        await tx.execute(add)
        await tx.append("e", "noted", {})
        await tx.append_many([NewEvent("noted", {}, entity_id="e")] * 2)
    await check(db, store)
    async with db.transaction("s", "other") as tx:
        await tx.at("other").append("e", "noted", {})
        await tx.at(store).execute(add)
    async with db.connection() as connection, connection.begin(), store.join(connection) as tx:
        await tx.execute(add)
    await check(db, store)
    assert (await db.spaces.hash_chain_head("s")).space_sequence == 34
    assert await db.spaces.hash_chain_head("other") is None
    assert (await other.verify()).ok


async def test_what_is_not_written_leaves_the_chain(db):
    store = await db.content_store("s", counter())
    await db.spaces.enable_hash_chain("s")
    await store.execute(add)
    before = await db.spaces.hash_chain_head("s")
    with pytest.raises(Rejected):
        await store.execute(refuse)
    await store.execute(nothing)
    await store.execute(nothing, idempotency_key="k")
    await store.pstate.put("direct", 1)
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await tx.execute(add)
            raise ZeroDivisionError
    assert await db.spaces.hash_chain_head("s") == before
    await store.rebuild_pstate()
    await store.catchup_pstate()
    assert await db.spaces.hash_chain_head("s") == before
    await store.execute(add)
    await check(db, store)


async def test_an_existing_space_gets_its_past_hashed(db, monkeypatch):
    monkeypatch.setattr(runtime_chain, "_TAIL", 10)
    store = await db.content_store("s", counter())
    await store.execute_many([(add, None)] * 4500)
    seen = []
    head = await db.spaces.enable_hash_chain(store.space, progress=lambda p: seen.append(p.done))
    assert seen == [2000, 4000, 4500]
    assert head == await expected(db, store)
    assert await db.spaces.enable_hash_chain("s") == head
    await store.execute(add)
    await check(db, store)


async def test_a_chain_begins_while_others_write(durable_url):
    async with ramax.connect(durable_url) as db, ramax.connect(durable_url) as writer:
        store = await writer.content_store("s", counter())
        await store.execute_many([(add, None)] * 2500)
        stop = asyncio.Event()

        async def write() -> int:
            count = 0
            while not stop.is_set():
                await store.execute(add)
                count += 1
            return count

        writing = [asyncio.create_task(write()) for _ in range(3)]
        await db.spaces.enable_hash_chain("s")
        while (await db.spaces.stats("s")).event_count < 2600:  # they go on with the chain
            await asyncio.sleep(0)
        stop.set()
        assert sum(await asyncio.gather(*writing)) >= 100
        await check(writer, store)


async def test_two_processes_continue_one_chain(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as two:
        a = await one.content_store("s", counter())
        b = await two.content_store("s", counter())
        await a.execute(add)
        await b.execute(add)
        await one.spaces.enable_hash_chain("s")
        await asyncio.gather(*(each.execute(add) for each in (a, b) for _ in range(50)))
        await check(one, a)


async def test_a_chain_that_is_ended_can_begin_again(db):
    store = await db.content_store("s", counter())
    await db.spaces.enable_hash_chain("s")
    await store.execute(add)
    first = await db.spaces.hash_chain_head("s")
    await db.spaces.disable_hash_chain("s")
    assert await db.spaces.hash_chain_head("s") is None
    space_id = store.space.space_id
    assert await db._core.read(lambda ex: read_hashes(ex, space_id, after=0, upto=9)) == {}
    await store.execute(add)
    await db.spaces.enable_hash_chain("s")
    await check(db, store)
    hashes = await db._core.read(lambda ex: read_hashes(ex, space_id, after=0, upto=1))
    assert hashes[1] == first.hash


async def test_two_spaces_of_equal_events_have_equal_hashes(db):
    stores = []
    for name in ("a", "b"):
        store = await db.content_store(name, documents())
        await store.execute(put, ("d", {"v": 1}))
        stores.append(store)
    rows = [
        (
            await db._core.read(
                lambda ex, s=store: read_page(ex, s.space.space_id, after=0, limit=9)
            )
        )[0]
        for store in stores
    ]
    same_time = [(*row[:7], 5, *row[8:]) for row in rows]
    assert hash_of(BEGINNING, same_time[0]) == hash_of(BEGINNING, same_time[1])
    assert same_time[0][:2] != same_time[1][:2]


async def test_a_missing_space_is_an_error(db):
    for verb in (
        db.spaces.enable_hash_chain,
        db.spaces.disable_hash_chain,
        db.spaces.hash_chain_head,
    ):
        with pytest.raises(SpaceNotFoundError):
            await verb("nobody")
    gone = await db.spaces.create("gone")
    await db.spaces.delete("gone")
    for verb in (
        db.spaces.enable_hash_chain,
        db.spaces.disable_hash_chain,
        db.spaces.hash_chain_head,
    ):
        with pytest.raises(SpaceNotFoundError):
            await verb(gone)
    assert await db.spaces.hash_chain_head("default") is None
    assert (await db.spaces.enable_hash_chain("default")).space_sequence == 0


async def test_the_chain_costs_two_statements_and_only_where_there_is_one(db):
    with_chain = await db.content_store("a", counter())
    without = await db.content_store("b", counter())
    await db.spaces.enable_hash_chain("a")
    for store in (with_chain, without):
        await store.execute(add)
    async with counted(db) as chained:
        await with_chain.execute(add)
    async with counted(db) as plain:
        await without.execute(add)
    assert chained.statements == plain.statements + 2
    assert not any("event_hashes" in text for text in plain.texts)
