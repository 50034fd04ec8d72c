"""Reading the stored state: what is folded first, and what is kept in memory."""

import asyncio

import pytest

import ramax
from ramax import DomainMismatchError, NewEvent
from ramax.core.domain import Domain
from ramax.errors import FoldError
from tests._counting import counted
from tests._domains import add, counter, documents, put
from tests._tables import dump


async def keys(stream):
    return [key async for key, _ in stream]


async def append_behind(db, name, count):
    await db.spaces.get_or_create(name)
    await db.events.append_many(name, [NewEvent("added", {"by": 1}, entity_id="n")] * count)


@pytest.mark.parametrize("read", ["fetch", "get", "get_many", "scan", "count"])
async def test_a_read_folds_what_raw_appends_left_behind(db, read):
    store = await db.content_store("acme", counter())
    await append_behind(db, "acme", 2)
    assert await store.get_checkpoint() == 0
    found = {
        "fetch": lambda: store.pstate.fetch("n"),
        "get": lambda: store.pstate.get("n"),
        "get_many": lambda: store.pstate.get_many(["n"]),
        "scan": lambda: keys(store.pstate.scan()),
        "count": store.pstate.count,
    }
    expected = {"fetch": 2, "get": 2, "get_many": {"n": 2}, "scan": ["n"], "count": 1}
    assert await found[read]() == expected[read]
    assert await store.get_checkpoint() == 2
    await append_behind(db, "acme", 1)
    assert await store.pstate.fetch("n") == 3


async def test_a_long_gap_is_folded_in_pages(db):
    store = await db.content_store("acme", counter())
    await append_behind(db, "acme", 5001)
    assert await store.pstate.fetch("n") == 5001
    assert await store.get_checkpoint() == 5001


async def test_many_readers_of_a_gap_fold_it_once(db):
    stores = [await db.content_store("acme", counter()) for _ in range(10)]
    await append_behind(db, "acme", 20)
    assert await asyncio.gather(*(s.pstate.fetch("n") for s in stores)) == [20] * 10


async def test_a_read_without_a_domain_folds_nothing(db):
    await append_behind(db, "acme", 2)
    store = await db.content_store("acme")
    assert await store.pstate.get("n") is None
    assert await db.pstate.get("acme", "n") is None
    assert await keys(db.pstate.scan("acme")) == []
    assert await store.get_checkpoint() == 0


async def test_a_read_through_another_domain_shows_what_is_stored(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)
    await append_behind(db, "acme", 2)
    other = await db.content_store("acme", documents())
    assert await other.pstate.fetch("n") == 1  # read only; it may not fold
    assert await store.get_checkpoint() == 1
    with pytest.raises(DomainMismatchError) as caught:
        await other.catchup_pstate()
    assert caught.value.missing == ("counter",)
    assert await store.pstate.fetch("n") == 3


async def test_a_gap_that_cannot_be_folded_names_the_event(db):
    broken = Domain("broken")

    @broken.applicator("added")
    def added(state, event):
        if event.space_sequence == 2:
            raise ZeroDivisionError("boom")
        state["n"] = event.space_sequence

    await append_behind(db, "acme", 3)
    store = await db.content_store("acme", broken)
    before = await dump(db)
    for attempt in (
        lambda: store.pstate.get("n"),
        lambda: store.execute(add),
        store.catchup_pstate,
    ):
        with pytest.raises(FoldError) as caught:
            await attempt()
        error = caught.value
        assert (error.space, error.sequence, error.event_type) == ("acme", 2, "added")
        assert isinstance(error.__cause__, ZeroDivisionError)
    assert await dump(db) == before


# -- memory --------------------------------------------------------------------------------------


async def test_what_is_preloaded_a_command_decides_on_without_a_read(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", documents())
        for n in range(50):
            await store.execute(put, (f"k{n}", {"next": ramax.Ref(f"k{n + 1}")}))
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", documents())
        await store.pstate.preload("k0", "next.next")

        def look(state, params):
            return [] if state["k2"]["next"] == ramax.Ref("k3") else [NewEvent("never")]

        async with counted(db) as calls:
            await store.execute(look)
        values = [text for text in calls.texts if "pstate_entities" in text]
        assert values == []
