"""Inline projections: rows in tables of the application that commit with the events."""

import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent, Rejected
from ramax.errors import ProjectionError
from tests._counting import counted
from tests._orders import add, create_tables, orders, rows_of, search_of, shop, totals_of


@pytest.fixture
async def shops(db):
    await create_tables(db)
    return db


async def test_rows_commit_with_the_events(shops):
    store = await shops.content_store("a", shop())
    await store.execute(add, ("placed", ["1", "2", "3"]))
    await store.execute(add, ("paid", ["2"]))
    await store.execute(add, ("cancelled", ["3"]))
    assert await rows_of(shops, store) == [("1", "placed", 1), ("2", "paid", 2)]
    assert await totals_of(shops, store) == {"placed": 3, "paid": 1, "cancelled": 1}
    assert await store.get_checkpoint("search") == 5


async def test_each_space_has_its_own_rows(shops):
    domain = shop()
    one, two = [await shops.content_store(name, domain) for name in "ab"]
    await asyncio.gather(*(s.execute(add, ("placed", ["1", "2"])) for s in (one, two)))
    await one.execute(add, ("paid", ["1"]))
    await two.execute(add, ("cancelled", ["1"]))
    assert await rows_of(shops, one) == [("1", "paid", 2), ("2", "placed", 1)]
    assert await rows_of(shops, two) == [("2", "placed", 1)]


async def test_many_callers_at_once_each_have_their_rows_once(shops):
    store = await shops.content_store("a", shop())
    await asyncio.gather(*(store.execute(add, ("placed", [str(n)])) for n in range(200)))
    await asyncio.gather(*(store.execute(add, ("paid", [str(n)])) for n in range(200)))
    assert set(await rows_of(shops, store)) == {(str(n), "paid", 2) for n in range(200)}
    assert await totals_of(shops, store) == {"placed": 200, "paid": 200}


def refuse(_state, _params):
    raise Rejected


async def test_a_command_that_fails_leaves_no_row(shops):
    store = await shops.content_store("a", shop())
    with pytest.raises(Rejected):
        await store.execute_many([(add, ("placed", ["1"])), (refuse, None)])
    results = await asyncio.gather(
        store.execute(add, ("placed", ["2"])),
        store.execute(add, ("placed", ["2"])),  # its key is there
        store.execute(add, ("placed", ["3"])),
        return_exceptions=True,
    )
    assert [isinstance(each, ramax.StorageError) for each in results] == [False, True, False]
    assert await rows_of(shops, store) == [("2", "placed", 1), ("3", "placed", 1)]
    assert await store.events.get_space_latest_sequence() == 2


async def test_commands_that_fail_as_one_leave_no_row_in_a_batch_of_others(shops):
    store = await shops.content_store("a", shop())
    results = await asyncio.gather(
        store.execute(add, ("placed", ["first"])),  # alone, while the others gather
        store.execute_many([(add, ("placed", ["lost"])), (refuse, None)]),
        store.execute(add, ("placed", ["kept"])),
        return_exceptions=True,
    )
    assert isinstance(results[1], Rejected)
    assert [row[0] for row in await rows_of(shops, store)] == ["first", "kept"]
    assert await totals_of(shops, store) == {"placed": 2}
    assert await store.get_checkpoint("search") == 2


async def test_a_handler_that_fails_names_its_event_and_fails_its_command_alone(shops):
    domain = shop()

    @search_of(domain).on("odd")
    def odd(event):
        yield sa.delete(orders)
        raise KeyError("odd")

    @search_of(domain).on("wild")
    def wild(event):
        return sa.text("DELETE FROM shop_orders")

    store = await shops.content_store("a", domain)
    for wrong, why in (("odd", "odd"), ("wild", "yields")):
        results = await asyncio.gather(
            store.execute(add, ("placed", [f"{wrong}1"])),
            store.execute(add, (wrong, ["2"])),
            store.execute(add, ("placed", [f"{wrong}3"])),
            return_exceptions=True,
        )
        error = results[1]
        assert isinstance(error, ProjectionError)
        assert (error.space, error.projection, error.event_type) == ("a", "search", wrong)
        assert why in str(error)
        assert [type(results[0]), type(results[2])] == [ramax.Commit, ramax.Commit]
    assert len(await rows_of(shops, store)) == 4
    assert await totals_of(shops, store) == {"placed": 4}


async def test_a_table_that_is_not_there_is_named(db):
    store = await db.content_store("a", shop())
    with pytest.raises(ramax.StorageError, match="shop_orders") as caught:
        await store.execute(add, ("placed", ["1"]))
    assert not isinstance(caught.value, ramax.SchemaOutOfDateError)  # no upgrade would help
    assert await store.events.get_space_latest_sequence() == 0


async def test_what_was_appended_raw_follows_before_the_next_command(shops):
    store = await shops.content_store("a", shop())
    await store.execute(add, ("placed", ["1"]))
    await shops.events.append("a", "order:1", "paid", {"order": "1"})
    await store.events.append("order:2", "placed", {"order": "2"})
    assert await rows_of(shops, store) == [("1", "placed", 1)]
    assert await store.get_checkpoint("search") == 1
    await store.execute(add, ("paid", ["2"]))
    assert await rows_of(shops, store) == [("1", "paid", 2), ("2", "paid", 2)]
    assert await store.get_checkpoint("search") == await store.get_checkpoint() == 4


async def test_a_projection_that_comes_later_begins_at_the_beginning(shops):
    plain = Domain("shop", lambda state, event: None, entity_id=lambda p: f"order:{p['order']}")
    before = await shops.content_store("a", plain)
    await before.execute(add, ("placed", [str(n) for n in range(5)]))
    store = await shops.content_store("a", shop())
    await store.execute(add, ("paid", ["0"]))
    await before.execute(add, ("paid", ["1"]))  # a process that does not know the projection
    assert (await totals_of(shops, store))["paid"] == 1
    await store.execute(add, ("paid", ["2"]))
    assert await totals_of(shops, store) == {"placed": 5, "paid": 3}


async def test_a_long_gap_is_projected_page_by_page(shops):
    await shops.events.append_many(
        (await shops.spaces.get_or_create("a")),
        [NewEvent("placed", {"order": str(n)}, entity_id="e") for n in range(4500)],
    )
    store = await shops.content_store("a", shop())
    await store.execute(add, ("paid", ["4499"]))
    assert await totals_of(shops, store) == {"placed": 4500, "paid": 1}


async def test_a_gap_that_cannot_be_projected_does_not_hide_the_read_model(shops):
    domain = shop()
    search_of(domain).on("odd")(lambda event: 1 / 0)
    store = await shops.content_store("a", domain)
    await store.events.append("order:1", "placed", {"order": "1"})
    await store.events.append("order:2", "odd", {"order": "2"})
    assert await store.pstate.fetch("order:1") == "placed"
    with pytest.raises(ProjectionError):
        await store.execute(add, ("paid", ["1"]))


async def test_an_explicit_transaction_takes_rows_along(shops):
    store = await shops.content_store("a", shop())
    await store.execute(add, ("placed", ["1"]))
    async with store.transaction() as tx:
        await tx.append("order:2", "placed", {"order": "2"})
        await tx.execute(add, ("paid", ["1"]))
        await tx.execute(add, ("paid", ["2"]))
        mine = sa.select(orders.c.status).where(orders.c.space_id == store.space.space_id)
        found = (await tx.connection.execute(mine)).scalars().all()
        assert found == ["paid", "paid"]
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.execute(add, ("cancelled", ["1"]))
            raise RuntimeError
    await store.execute(add, ("cancelled", ["2"]))
    assert await rows_of(shops, store) == [("1", "paid", 2)]
    assert await totals_of(shops, store) == {"placed": 2, "paid": 2, "cancelled": 1}


async def test_join_takes_rows_along(shops):
    store = await shops.content_store("a", shop())
    async with shops.connection() as connection:
        for end in ("rollback", "commit"):
            await connection.begin()
            async with store.join(connection) as tx:
                await tx.execute(add, ("placed", [end]))
            await getattr(connection, end)()
    await store.execute(add, ("placed", ["after"]))
    assert [row[0] for row in await rows_of(shops, store)] == ["after", "commit"]


async def test_data_types_do_not_leave_a_projection_behind(shops):
    store = await shops.content_store("a", shop())
    await store.execute(add, ("placed", ["1"]))
    await store.kv.put("x", 1)
    assert await store.get_checkpoint("search") == 2
    async with counted(shops) as calls:
        await store.execute(add, ("paid", ["1"]))
    assert not any("SELECT projection_checkpoints" in text for text in calls.texts)
    assert await totals_of(shops, store) == {"placed": 1, "paid": 1}


async def test_upcasters_apply(shops):
    domain = shop()

    @domain.upcaster("ordered", from_version=1)
    def ordered(event):
        number = event.payload["order"]
        return [
            NewEvent("placed", {"order": number}),
            NewEvent("paid", {"order": number}),
        ]

    store = await shops.content_store("a", domain)
    await shops.events.append("a", "order:1", "ordered", {"order": "1"})
    await store.execute(add, ("placed", ["2"]))
    assert await rows_of(shops, store) == [("1", "paid", 2), ("2", "placed", 1)]


async def test_a_handler_changes_no_one_elses_values(shops):
    domain = Domain("shop", entity_id=lambda payload: "e")
    seen = []

    @domain.applicator("placed")
    def fold(state, event):
        event.payload["order"] = "changed"

    @domain.projection("search", into=orders).on("placed")
    def placed(event):
        seen.append(event.payload["order"])
        with pytest.raises(AttributeError):
            _ = event.space_id
        event.payload["order"] = "changed, too"
        return sa.insert(orders).values(order_id=str(event.space_sequence), status="x")

    store = await shops.content_store("a", domain)
    commit = await store.execute(add, ("placed", ["1"]))
    assert set(seen) == {"1"}
    assert commit.events[0].payload == {"order": "1"}


async def test_a_name_of_a_projection_is_not_for_other_readers(shops):
    store = await shops.content_store("a", shop())
    with pytest.raises(ramax.MisuseError, match="projection"):
        store.subscribe("search")
    with pytest.raises(ramax.MisuseError, match="projection"):
        await store.update_checkpoint(0, name="search")


async def test_an_idempotent_repeat_projects_nothing(shops):
    store = await shops.content_store("a", shop())
    for _ in range(2):
        await store.execute(add, ("placed", ["1"]), idempotency_key="once")
    assert await totals_of(shops, store) == {"placed": 1}


async def test_a_deleted_space_leaves_no_rows(shops):
    domain = shop()
    gone, kept = [await shops.content_store(name, domain) for name in "ab"]
    for store in (gone, kept):
        await store.execute(add, ("placed", ["1"]))
    await shops.spaces.delete(gone.space, force=True)
    assert await rows_of(shops, gone) == []
    assert await totals_of(shops, gone) == {}
    assert await rows_of(shops, kept) == [("1", "placed", 1)]


async def test_a_process_that_does_not_know_the_projection_leaves_rows_to_be_cleaned(durable_url):
    domain = shop()
    async with ramax.connect(durable_url) as db:
        await create_tables(db)
        for name in ("a", "b", "c"):
            store = await db.content_store(name, domain)
            await store.execute(add, ("placed", ["1"]))
    async with ramax.connect(durable_url) as db:
        await db.spaces.delete("a", force=True)
    async with ramax.connect(durable_url, projections=[domain]) as db:
        await db.spaces.delete("b", force=True)
        kept = await db.content_store("c")
        everything = sa.select(orders.c.space_id).order_by(orders.c.space_id)
        async with db.connection() as connection:
            assert len((await connection.execute(everything)).all()) == 2
        assert await db.clean_projections(domain) == 1
        assert await db.clean_projections(domain) == 0
        assert await rows_of(db, kept) == [("1", "placed", 1)]


async def test_a_projection_costs_as_many_statements_for_a_thousand_events_as_for_one(shops):
    domain = Domain("shop", entity_id=lambda payload: "e")
    domain.applicator("placed")(lambda state, event: None)

    @domain.projection("search", into=orders).on("placed")
    def placed(event):
        yield sa.insert(orders).values(order_id=event.payload["order"], status="x")

    plain = Domain("plain", entity_id=lambda payload: "e")
    plain.applicator("placed")(lambda state, event: None)
    store, other = await shops.content_store("a", domain), await shops.content_store("b", plain)
    for each in (store, other):
        await each.execute(add, ("placed", ["first"]))

    async def cost(of, numbers):
        async with counted(shops) as calls:
            await of.execute(add, ("placed", numbers))
        return calls.statements

    await cost(store, [f"w{n}" for n in range(1000)])  # what drivers ask for the first time
    one = await cost(store, ["one"])
    many = await cost(store, [str(n) for n in range(1000)])
    asked = shops.engine.dialect.name == "sqlite"  # for the ids of many events, before them
    assert many == one + asked
    assert one == await cost(other, ["one"]) + 2  # its rows, and where it is


async def test_what_is_no_domain_is_refused_by_connect():
    with pytest.raises(ramax.DataError, match="projections"):
        ramax.connect(projections=["search"])  # type: ignore[list-item]
