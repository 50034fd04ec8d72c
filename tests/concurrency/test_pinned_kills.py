"""Killed with something written and not committed, or between two transactions of a long work."""

import asyncio
import signal

import pytest

import ramax
from ramax.core.chain import BEGINNING, next_hash
from ramax.errors import SearchDisabledError
from ramax.storage.events import read_page
from tests._domains import documents, put
from tests._orders import add, create_tables, rows_of, shop, totals_of
from tests.concurrency._processes import await_ready, started

COUNT = 50  # more than two pages of the program
rounds = pytest.mark.parametrize(
    "rounds", [1, pytest.param(50, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
)
places = pytest.mark.parametrize("where", ["within", "between"])


async def kill(url: str, work: str, where: str) -> None:
    def run() -> None:
        with started("pinned", url, work, where) as process:
            await_ready(process)
            assert process.stdout is not None
            assert process.stdout.readline() == f"{where}\n"
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL

    await asyncio.to_thread(run)


async def fill(store: ramax.ContentStore, *numbers: int) -> None:
    await store.execute_many(
        [(put, (f"doc:{n}", {"text": f"word{n} all"})) for n in numbers],
    )


@rounds
async def test_between_a_write_of_an_async_projection_and_its_commit(durable_url, rounds):
    async with ramax.connect(durable_url) as db:
        await create_tables(db)
        store = await db.content_store("acme", shop("async"))
        await store.execute(add, ("placed", ["1", "2", "3"]))
        for _ in range(rounds):
            await kill(durable_url, "async", "within")
            assert (await totals_of(db, store), await rows_of(db, store)) == ({}, [])
            assert await store.get_checkpoint("search") == 0
        await store.run_projections(follow=False, poll_interval=0.02)
        assert await totals_of(db, store) == {"placed": 3}
        assert await store.get_checkpoint("search") == 3


@rounds
async def test_between_a_write_of_an_inline_projection_and_its_commit(durable_url, rounds):
    async with ramax.connect(durable_url) as db:
        await create_tables(db)
        store = await db.content_store("acme", shop("inline"))
        await store.execute(add, ("placed", ["1", "2", "3"]))
        for _ in range(rounds):
            await kill(durable_url, "inline", "within")
            assert await totals_of(db, store) == {"placed": 3}
            assert await store.get_checkpoint("search") == 3
            assert await store.events.get_space_latest_sequence() == 3
            assert await store.pstate.get("order:new") is None
        await store.execute(add, ("placed", ["new"]), idempotency_key="new")
        assert await totals_of(db, store) == {"placed": 4}
        assert await store.get_checkpoint("search") == 4
        assert (await store.verify()).ok


@rounds
@places
async def test_while_a_hash_chain_is_made_for_what_is_there(durable_url, where, rounds):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", documents())
        await fill(store, *range(COUNT))
        for number in range(rounds):
            await kill(durable_url, "chain", where)
            assert await db.spaces.hash_chain_head("acme") is None  # it has not begun
            await fill(store, number)
            report = await store.verify()
            assert (report.findings, report.chained) == ((), None)
        await db.spaces.enable_hash_chain("acme")
        await fill(store, COUNT)
        events = COUNT + rounds + 1
        rows = await db._core.read(
            lambda ex: read_page(ex, store.space.space_id, after=0, limit=10**6)
        )
        value = BEGINNING
        for row in rows:
            value = next_hash(value, list(row[2:13]))
        assert await db.spaces.hash_chain_head("acme") == ramax.ChainHead(events, value)
        report = await store.verify()
        assert (report.findings, report.chained) == ((), events)


@rounds
@places
async def test_while_the_texts_that_are_there_are_indexed(durable_url, where, rounds):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", documents())
        await fill(store, *range(COUNT))
        for number in range(rounds):
            await kill(durable_url, "search", where)
            with pytest.raises(SearchDisabledError, match="still being indexed"):
                await store.search("all")  # rather than an answer that lacks some
            await fill(store, COUNT + number)
            await store.execute(put, ("doc:0", {"text": f"changed{number}"}))
        await db.spaces.enable_search("acme", fields={"doc:": ["text"]})
        everything = {f"doc:{n}" for n in range(COUNT + rounds)}
        found = await store.search("all", limit=1000)
        assert {hit.key for hit in found} == everything - {"doc:0"}
        assert len(found) == len(everything) - 1  # each once
        assert [hit.key for hit in await store.search(f"changed{rounds - 1}")] == ["doc:0"]
        assert [hit.key for hit in await store.search("word1")] == ["doc:1"]


@rounds
async def test_while_texts_that_waited_are_indexed(durable_url, rounds):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", documents())
        await db.spaces.enable_search("acme", fields={"doc:": ["text"]}, mode="async")
        for number in range(rounds):
            await fill(store, *range(COUNT * number, COUNT * (number + 1)))
            await kill(durable_url, "later", "within")  # a page is indexed, another was about to
            assert (await store.verify()).ok
            assert len(await store.search("all", limit=1000)) % 20 == 0
        assert 0 < len(await store.search("all", limit=1000)) < COUNT * rounds
        await db.spaces.index_texts("acme")
        for number in range(COUNT * rounds):  # a search gives no more than 1,000 at once
            assert [hit.key for hit in await store.search(f"word{number}")] == [f"doc:{number}"]
        assert (await store.verify()).ok
