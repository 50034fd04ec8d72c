"""A rebuild of a projection: the old rows or the new ones, of one space, while writes go on."""

import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax import MisuseError, NewEvent, SubscriptionPausedError
from ramax.errors import ProjectionError
from ramax.runtime import reprojection
from tests._orders import (
    add,
    create_tables,
    orders,
    rows_of,
    search_of,
    selected,
    shop,
    totals,
    totals_of,
)

modes = pytest.mark.parametrize("mode", ["inline", "async"])


@pytest.fixture
async def shops(db):
    await create_tables(db)
    return db


async def filled(db, domain, name="a", count=5):
    store = await db.content_store(name, domain)
    await store.execute(add, ("placed", [str(n) for n in range(count)]))
    await store.execute(add, ("paid", ["0"]))
    if not domain.projections.inline:
        await store.run_projections(follow=False)
    return store


async def spoil(db, *stores):
    async with db.connection() as connection:
        for store in stores:
            mine = orders.c.space_id == store.space.space_id
            await connection.execute(sa.update(orders).where(mine).values(status="spoilt"))
            await connection.execute(
                sa.insert(orders).values(
                    space_id=store.space.space_id, order_id="extra", status="spoilt"
                )
            )
        await connection.commit()


@modes
async def test_the_rows_of_one_space_are_made_anew(shops, mode):
    domain = shop(mode)
    mine, theirs = [await filled(shops, domain, name) for name in "ab"]
    good = await rows_of(shops, mine)
    await spoil(shops, mine, theirs)
    assert await mine.rebuild("search") == 6
    assert await rows_of(shops, mine) == good
    assert await totals_of(shops, mine) == {"placed": 5, "paid": 1}
    assert {row[1] for row in await rows_of(shops, theirs)} == {"spoilt"}
    await mine.execute(add, ("paid", ["1"]))
    if mode == "async":
        await mine.run_projections(follow=False)
    assert await totals_of(shops, mine) == {"placed": 5, "paid": 2}


@modes
async def test_what_the_pstate_lacks_is_projected_once(shops, mode):
    store = await filled(shops, shop(mode))
    await store.events.append("order:9", "placed", {"order": "9"})
    assert await store.rebuild("search") == 7
    assert await store.get_checkpoint("search") == 7
    await store.execute(add, ("paid", ["9"]))
    if mode == "async":
        await store.run_projections(follow=False)
    assert await totals_of(shops, store) == {"placed": 6, "paid": 2}


@modes
async def test_a_handler_that_fails_leaves_the_old_rows(shops, mode):
    domain = shop(mode)
    store = await filled(shops, domain)
    before = await rows_of(shops, store)
    worse = shop(mode)
    search_of(worse).on("odd")(lambda event: 1 / 0)
    await store.events.append("order:1", "odd", {})
    bad = await shops.content_store("a", worse)
    with pytest.raises(ProjectionError, match="event 7"):
        await bad.rebuild("search")
    assert await rows_of(shops, store) == before


@modes
async def test_commands_during_a_rebuild_are_neither_lost_nor_doubled(shops, mode):
    domain = shop(mode)
    store = await filled(shops, domain, count=20)
    running = asyncio.create_task(store.run_projections()) if mode == "async" else None
    done = asyncio.Event()

    async def write(which):
        number = 0
        while not done.is_set() or number < 20:
            await store.execute(add, ("paid", [str(which)]))
            number += 1
        return number

    writers = [asyncio.create_task(write(which)) for which in range(1, 4)]
    for _ in range(5):
        await store.rebuild("search")
    done.set()
    counts = [await writer for writer in writers]
    await store.wait_for("search")
    if running is not None:
        running.cancel()
        await asyncio.wait([running])
    assert await totals_of(shops, store) == {"placed": 20, "paid": 1 + sum(counts)}
    seen = {row[0]: row[2] for row in await rows_of(shops, store)}
    assert [seen[str(which)] for which in range(1, 4)] == [1 + count for count in counts]


async def test_readers_see_the_old_rows_or_the_new_ones(durable_db):
    await create_tables(durable_db)
    store = await filled(durable_db, shop(), count=300)
    await spoil(durable_db, store)
    count = sa.select(sa.func.count(), sa.func.count(sa.distinct(orders.c.status)))
    mine = count.where(orders.c.space_id == store.space.space_id)
    rebuilding = asyncio.create_task(store.rebuild("search"))
    found = set()
    while not rebuilding.done():
        found |= set(await selected(durable_db, mine))
    await rebuilding
    found |= set(await selected(durable_db, mine))
    assert found <= {(301, 1), (300, 2)}
    assert (300, 2) in found


async def test_more_than_memory_should_hold_is_made_under_the_lock(shops, monkeypatch):
    monkeypatch.setattr(reprojection, "_PREPARED", 1)
    store = await shops.content_store("a", shop())
    facts = [NewEvent("placed", {"order": str(n)}, entity_id="e") for n in range(4100)]
    await store.events.append_many(facts)
    seen: list[ramax.Progress] = []
    assert await store.rebuild("search", progress=seen.append) == 4100
    assert [each.done for each in seen] == [2000]
    assert await totals_of(shops, store) == {"placed": 4100}


async def test_a_projection_that_has_paused_at_an_event_goes_on(shops):
    broken = shop("async")
    search_of(broken).on("odd")(lambda event: 1 / 0)
    store = await filled(shops, broken)
    await store.events.append("order:1", "odd", {})
    with pytest.raises(SubscriptionPausedError):
        await store.run_projections(follow=False)
    mended = await shops.content_store("a", shop("async"))
    await mended.rebuild("search")
    await mended.execute(add, ("paid", ["1"]))
    await mended.run_projections(follow=False)
    assert await totals_of(shops, store) == {"placed": 5, "paid": 2}


async def test_reactions_do_not_run_again(shops):
    domain = shop()
    seen = []

    @domain.reaction("placed")
    async def react(event, reaction):
        seen.append(event.space_sequence)

    store = await filled(shops, domain)
    await store.run_reactions(follow=False)
    await store.rebuild("search")
    await store.run_reactions(follow=False)
    assert seen == [1, 2, 3, 4, 5]


async def test_pstate_is_rebuilt_by_its_name_and_unknown_names_are_refused(shops):
    store = await filled(shops, shop())
    assert await store.rebuild("pstate") == 6
    with pytest.raises(MisuseError, match="no projection"):
        await store.rebuild("other")
    empty = await shops.content_store("default", shop())
    assert await empty.rebuild("search") == 0
    await shops.spaces.delete("a", force=True)
    with pytest.raises(ramax.SpaceNotFoundError):
        await store.rebuild("search")
    assert await selected(shops, sa.select(totals.c.space_id)) == []
