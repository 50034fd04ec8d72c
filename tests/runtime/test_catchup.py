"""Catch-up: folding what raw appends, imports and crashes have left behind."""

import asyncio
from dataclasses import replace

import pytest

import ramax
from ramax import Domain, DomainMismatchError, NewEvent
from ramax.errors import FoldError, SpaceNotFoundError
from tests._notes import expected, notes, payloads, scanned, some, write
from tests._tables import dump
from tests.concurrency._postgres_sessions import alone
from tests.concurrency._processes import await_ready, go, started

NOTES = notes(1)


def raw(start, count):
    """The same events that `write` gives, to be appended as they are."""
    return write({}, some(start, count))


async def behind(db, events=100, name="mine", domain=NOTES):
    store = await db.content_store(name, domain)
    await store.events.append_many(raw(0, events))
    return store


def pages_of(db, size):
    db._core.options = replace(db._core.options, page=size)


async def is_fold(store):
    assert await scanned(store) == expected(await payloads(store), 1)
    assert await store.get_checkpoint() == await store.events.get_space_latest_sequence()


async def test_what_is_behind_is_folded_and_counted(db):
    store = await behind(db)
    assert await store.get_checkpoint() == 0
    assert await store.catchup_pstate() == 100
    await is_fold(store)


async def test_twice_is_once(db):
    store = await behind(db)
    await store.catchup_pstate()
    before = await dump(db)
    assert await store.catchup_pstate() == 0
    assert await dump(db) == before


async def test_nothing_to_do(db):
    store = await db.content_store("empty", NOTES)
    assert await store.catchup_pstate() == 0
    await store.execute(write, some(0, 5))
    assert await store.catchup_pstate() == 0
    assert await (await db.content_store(domain=NOTES)).catchup_pstate() == 0


@pytest.mark.parametrize("events", [1, 19, 20, 21, 40, 45])
async def test_a_gap_of_several_pages(db, events):
    pages_of(db, 20)
    store = await behind(db, events)
    assert await store.catchup_pstate() == events
    await is_fold(store)


async def test_only_the_gap_is_folded(db):
    store = await db.content_store("mine", NOTES)
    await store.execute(write, some(0, 50))
    await store.events.append_many(raw(50, 30))
    assert await store.catchup_pstate() == 30
    await is_fold(store)


async def test_the_next_command_decides_on_the_whole_history(db):
    pages_of(db, 20)
    store = await behind(db, 50)
    seen = []

    def look(state, params):
        seen.append(state["count"])
        return write(state, some(50, 2))

    await store.execute(look)
    assert seen[-1] == expected([e.payload for e in raw(0, 50)], 1)["count"]
    await is_fold(store)


@pytest.mark.parametrize(
    "read",
    [
        lambda p: p.get("count"),
        lambda p: p.fetch("count"),
        lambda p: p.get_many(["count"]),
        lambda p: p.count(),
        lambda p: anext(p.scan()),
    ],
)
async def test_every_read_through_a_fitting_handle_folds_first(db, read):
    store = await behind(db)
    assert await read(store.pstate)
    await is_fold(store)


async def test_a_read_without_a_domain_takes_the_state_as_it_is(db):
    store = await behind(db)
    assert await db.pstate.get("mine", "count") is None
    assert await (await db.content_store("mine")).pstate.get("count") is None
    assert await store.get_checkpoint() == 0


async def test_a_transaction_folds_first_too(db):
    pages_of(db, 20)
    store = await behind(db, 50)
    async with store.transaction() as tx:
        count = await tx.pstate.get("count")
        await tx.execute(write, some(50, 1))
        assert await tx.pstate.get("count") == count + 1
    await is_fold(store)


async def test_a_transaction_that_is_rolled_back_takes_its_catch_up_back(db):
    store = await behind(db, 50)
    before = await dump(db)
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await tx.execute(write, some(50, 1))
            raise ZeroDivisionError
    assert await dump(db) == before


async def test_a_transaction_reads_its_own_raw_appends(db):
    store = await behind(db, 5)
    async with store.transaction() as tx:
        await tx.append_many(raw(5, 5))
        await tx.execute(write, some(10, 5))
        await tx.append_many(raw(15, 5))
        assert await tx.pstate.get("count") == expected([e.payload for e in raw(0, 20)], 1).get(
            "count"
        )
    await is_fold(store)


async def test_a_handle_of_another_domain_does_not_fold(db):
    store = await db.content_store("mine", NOTES)
    await store.execute(write, some(0, 5))
    await store.events.append_many(raw(5, 5))
    other = await db.content_store("mine", Domain("other", event_applicator=lambda *_: None))
    with pytest.raises(DomainMismatchError):
        await other.catchup_pstate()
    with pytest.raises(DomainMismatchError):
        await (await db.content_store("mine")).catchup_pstate()
    assert await store.get_checkpoint() == 5
    assert await store.catchup_pstate() == 5


async def test_a_space_that_was_deleted_is_not_found(db):
    store = await behind(db)
    await db.spaces.delete("mine", force=True)
    with pytest.raises(SpaceNotFoundError):
        await store.catchup_pstate()


# -- an applicator that fails --------------------------------------------------------------------


def failing(at):
    domain = Domain("notes", entity_id=lambda _: "e")

    @domain.applicator("*")
    def apply(state, event):
        state["last"] = event.space_sequence
        if event.space_sequence == at:
            raise ValueError("cannot")

    return domain


async def test_an_applicator_that_fails_names_the_event_and_earlier_pages_stay(db):
    pages_of(db, 20)
    store = await behind(db, 100, domain=failing(55))
    with pytest.raises(FoldError, match="event 55 of space 'mine'") as caught:
        await store.catchup_pstate()
    assert isinstance(caught.value.__cause__, ValueError)
    assert await store.get_checkpoint() == 40
    assert await db.pstate.get("mine", "last") == 40


async def test_that_space_fails_and_others_go_on(db):
    bad = await behind(db, 10, domain=failing(5))
    good = await db.content_store("good", NOTES)
    calls = [store.execute(write, some(i, 1)) for i in range(20) for store in (bad, good)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    for of_bad, of_good in zip(results[::2], results[1::2], strict=True):
        assert isinstance(of_bad, FoldError)
        assert of_bad.sequence == 5
        assert isinstance(of_good, ramax.Commit)
    for read in (bad.pstate.get("last"), bad.pstate.count()):
        with pytest.raises(FoldError, match="event 5"):
            await read
    assert (await bad.events.append("e", "more", {})).space_sequence == 11  # facts are welcome
    await is_fold(good)


async def test_a_mended_applicator_goes_on_where_the_other_stopped(db):
    pages_of(db, 20)
    store = await behind(db, 50, domain=failing(30))
    with pytest.raises(FoldError):
        await store.catchup_pstate()
    mended = await db.content_store("mine", failing(0))
    assert await mended.catchup_pstate() == 30
    assert await mended.pstate.fetch("last") == 50


# -- others at work ------------------------------------------------------------------------------


async def test_catch_ups_at_once_fold_each_event_once(db):
    pages_of(db, 7)
    store = await behind(db)
    folded = await asyncio.gather(*(store.catchup_pstate() for _ in range(6)))
    assert sum(folded) == 100
    await is_fold(store)


async def test_catch_ups_of_several_handles_on_one_database(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as other:
        for db in (one, other):
            pages_of(db, 7)
        here = await behind(one)
        there = await other.content_store("mine", NOTES)
        folded = await asyncio.gather(*(s.catchup_pstate() for s in (here, there) * 3))
        assert sum(folded) == 100
        await is_fold(there)


async def test_catch_up_races_commands_raw_appends_and_rebuilds(db):
    pages_of(db, 15)
    store = await behind(db, 60)

    async def execute(first):
        for i in range(15):
            await store.execute(write, some(first + i, 2))

    async def append(first):
        for i in range(15):
            await store.events.append_many(raw(first + i, 3))

    async def catch_up():
        for _ in range(15):
            await store.catchup_pstate()

    async def rebuild():
        for _ in range(4):
            await store.rebuild_pstate()

    await asyncio.gather(execute(100), execute(200), append(300), catch_up(), catch_up(), rebuild())
    await store.catchup_pstate()
    assert len(await payloads(store)) == 60 + 2 * 15 * 2 + 15 * 3
    await is_fold(store)


async def test_another_process_catches_up_what_this_one_appends(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await behind(db, 50)
        with started("notes", durable_url, "mine", "1", "write", "200") as other:
            await asyncio.to_thread(await_ready, other)
            go(other)
            appended = 0
            while other.poll() is None:
                await store.events.append_many(raw(appended, 5))
                appended += 5
            assert other.returncode == 0, other.communicate()[1]
        await store.catchup_pstate()
        assert len(await payloads(store)) == 50 + 200 + appended
        await is_fold(store)


@pytest.mark.parametrize("rounds", [6, pytest.param(60, marks=pytest.mark.nightly)])
async def test_a_killed_catch_up_leaves_whole_pages(durable_url, rounds):
    """Each round continues where the killed one stopped; the state is the fold up to there."""
    async with ramax.connect(durable_url) as db:
        store = await behind(db, 1500)
        history = await payloads(store)
    reached = {0}
    for _ in range(rounds):
        with started("notes", durable_url, "mine", "1", "catch-up", "5") as process:
            async with ramax.connect(durable_url) as db:
                plain = await db.content_store("mine")
                await_ready(process)
                go(process)
                while await plain.get_checkpoint() in reached and process.poll() is None:
                    pass
            process.kill()
            process.wait()
        await alone(durable_url)
        async with ramax.connect(durable_url) as db:
            plain = await db.content_store("mine")
            checkpoint = await plain.get_checkpoint()
            assert checkpoint % 5 == 0
            assert await scanned(plain) == expected(history[:checkpoint], 1)
            reached.add(checkpoint)
    assert len(reached) > 2
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("mine", NOTES)
        assert await store.catchup_pstate() == 1500 - max(reached)
        await is_fold(store)


async def test_facts_appended_by_a_process_that_died_are_folded_by_the_next_command(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("mine", NOTES)
        await store.execute(write, some(0, 10))
        await store.events.append_many([NewEvent("written", {"id": 1, "text": "raw"})])
    async with ramax.connect(durable_url) as db:  # as a new process finds it
        store = await db.content_store("mine", NOTES)
        commit = await store.execute(write, [(2, "next")])
        assert commit.space_sequence == 12
        await is_fold(store)
