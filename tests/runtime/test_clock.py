"""Timestamps never fall within a space, whatever the clocks of the machines do."""

import asyncio
from itertools import pairwise

import pytest

import ramax
from ramax import Domain, NewEvent

START = 1_700_000_000_000_000
HOUR = 3_600_000_000

domain = Domain("timed", entity_id=lambda _: "e")


@domain.applicator("ticked")
def ticked(state, event):
    state["last"] = event.timestamp
    state.setdefault("seen", []).append([event.space_sequence, event.timestamp])


def tick(state, params):
    return [NewEvent("ticked", {}) for _ in range(params or 1)]


class Clock:
    """Shows what it is set to."""

    def __init__(self, db, micros):
        self.micros = micros
        db._core.clock = db._core.attempts.clock = lambda: self.micros


async def stamps(store):
    return [event.micros async for event in store.events.stream_space_events()]


def never_falls(found):
    return all(one <= other for one, other in pairwise(found))


async def test_a_clock_that_goes_back_does_not_show(db):
    clock = Clock(db, START)
    store = await db.content_store("mine", domain)
    for shift in (0, HOUR, -HOUR, 5, HOUR - 1, HOUR, HOUR + 7):
        clock.micros = START + shift
        await store.execute(tick, 2)
    found = await stamps(store)
    assert found[:4] == [START] * 2 + [START + HOUR] * 2
    assert found == sorted(found)
    assert found[-1] == START + HOUR + 7


async def test_the_clock_of_one_space_is_not_anothers(db):
    clock = Clock(db, START + HOUR)
    mine, other = [await db.content_store(name, domain) for name in ("mine", "other")]
    await mine.execute(tick)
    clock.micros = START
    await asyncio.gather(*(store.execute(tick) for store in (mine, other, mine)))
    assert await stamps(mine) == [START + HOUR] * 3
    assert await stamps(other) == [START]


async def work_of_every_kind(store):
    yield store.execute(tick)
    yield store.execute_many([(tick, None), (tick, 2)])
    yield store.events.append("e", "ticked", {})
    yield store.events.append_many([NewEvent("ticked", {})])
    yield store.catchup_pstate()
    yield store.events.append("e", "ticked", {})
    yield in_transaction(store)
    yield store.rebuild_pstate()
    yield store.execute(tick)
    yield store.pstate.put("direct", 1)
    yield store.execute(tick)


async def in_transaction(store):
    async with store.transaction() as tx:
        await tx.append("e", "ticked", {})
        await tx.execute(tick)


async def test_every_way_of_writing_keeps_to_it(db):
    clock = Clock(db, START)
    store = await db.content_store("mine", domain)
    async for work in work_of_every_kind(store):
        clock.micros -= 1000
        await work
    found = await stamps(store)
    assert len(found) == 11
    assert never_falls(found)
    assert found[0] == START - 1000


async def test_the_clocks_of_two_processes_differ(durable_url):
    async with ramax.connect(durable_url) as ahead, ramax.connect(durable_url) as behind:
        Clock(ahead, START + HOUR)
        Clock(behind, START)
        stores = [await db.content_store("mine", domain) for db in (ahead, behind)]
        await asyncio.gather(*(stores[i % 2].execute(tick) for i in range(40)))
        for store in stores:
            found = await stamps(store)
            assert never_falls(found)
            assert found[-1] >= START + HOUR


@pytest.mark.parametrize("fold", ["rebuild_pstate", "catchup_pstate"])
async def test_an_applicator_sees_the_same_times_live_and_later(db, fold):
    Clock(db, START)
    store = await db.content_store("mine", domain)
    if fold == "rebuild_pstate":
        await store.execute(tick, 3)
        live = await store.pstate.fetch("seen")
    await store.events.append_many([NewEvent("ticked", {})] * 2)
    await getattr(store, fold)()
    seen = await store.pstate.fetch("seen")
    events = [event async for event in store.events.stream_space_events()]
    assert seen == [[event.space_sequence, event.timestamp] for event in events]
    if fold == "rebuild_pstate":
        assert seen[:3] == live
