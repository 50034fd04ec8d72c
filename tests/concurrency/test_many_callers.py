"""Many tasks and several processes write one database: nothing lost, doubled, or refused."""

import asyncio

import ramax
from tests.concurrency._audit import audit
from tests.concurrency._ledger import increment, ledger, post
from tests.concurrency._processes import run_together


async def test_fifty_callers_in_one_process_make_a_sequence_without_gaps(
    db: ramax.Database,
) -> None:
    stores = [await db.content_store(name, ledger) for name in ("acme", "globex")]

    async def caller(number: int) -> list[ramax.Commit]:
        return [
            await stores[(number + index) % 2].execute(
                post, {"account": f"a{index % 3}", "amount": 1, "name": f"{number}-{index}"}
            )
            for index in range(20)
        ]

    commits = [c for each in await asyncio.gather(*map(caller, range(50))) for c in each]
    assert len({event.event_id for commit in commits for event in commit.events}) == 1000
    for store in stores:
        events = [event async for event in store.events.stream_space_events()]
        assert [event.space_sequence for event in events] == list(range(1, 501))
        assert await store.get_checkpoint() == 500
        acknowledged = {
            event
            for commit in commits
            for event in commit.events
            if event.space_id == store.space.space_id
        }
        assert set(events) == acknowledged
        totals = [value["total"] async for _, value in store.pstate.scan("account:")]
        assert sum(totals) == 500


async def test_four_processes_write_one_database_at_once(durable_url: str) -> None:
    async with ramax.connect(durable_url) as db:
        for name in ("acme", "globex", "initech"):
            await db.spaces.create(name)
    calls = [(durable_url, f"p{n}", "6", "20", "acme", "globex", "initech") for n in range(4)]
    printed = await asyncio.to_thread(run_together, "poster", calls)
    acknowledged = [tuple(line.split()) for output in printed for line in output.splitlines()]
    assert len(acknowledged) == 4 * 6 * 20
    found = await audit(durable_url)
    assert sorted(acknowledged) == sorted(
        (name, command) for name, space in found.items() for command in space.commands
    )


async def test_tenants_that_two_processes_alternate_on_never_see_busy(durable_url: str) -> None:
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("acme")
        await db.spaces.create("globex")
    calls = [(durable_url, name, "1", "150", "acme", "globex") for name in ("one", "two")]
    printed = await asyncio.to_thread(run_together, "poster", calls)
    assert [len(output.splitlines()) for output in printed] == [150, 150]
    assert {len(space.commands) for space in (await audit(durable_url)).values()} == {150}


async def test_processes_that_open_an_empty_database_together_agree_on_its_spaces(
    durable_url: str,
) -> None:
    calls = [(durable_url, f"p{n}", "2", "5", "acme", "globex") for n in range(4)]
    await asyncio.to_thread(run_together, "poster", calls)
    found = await audit(durable_url)
    assert {name: len(space.commands) for name, space in found.items()} == {
        "acme": 20,
        "globex": 20,
    }


async def test_three_hundred_increments_of_one_counter_give_three_hundred(
    durable_url: str,
) -> None:
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("acme")
    calls = [(durable_url, "increment", "5", "30", "acme")] * 2
    await asyncio.to_thread(run_together, "poster", calls)
    found = (await audit(durable_url))["acme"]
    assert found.state == {"counter": 300}
    assert found.sequence == 300


async def test_ten_tasks_increment_one_counter(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)

    async def caller() -> None:
        for _ in range(30):
            await store.execute(increment)

    await asyncio.gather(*[caller() for _ in range(10)])
    assert await store.pstate.fetch("counter") == 300
