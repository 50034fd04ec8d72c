import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax import (
    DataError,
    MisuseError,
    NestedTransactionError,
    NewEvent,
    SpaceNotFoundError,
    SubscriptionLostError,
)
from ramax.storage.cursors import Place
from tests._domains import add, counter
from tests._reading import PATIENCE, sequences, take, until

SOON = 0.02  # a poll, where the test waits for one


@pytest.fixture
async def store(db):
    made = await db.content_store("acme", counter())
    for _ in range(5):
        await made.execute(add)
    return made


async def test_events_come_in_order_and_an_ack_covers_all_before_it(store):
    async with store.subscribe("mailer") as s:
        events = await take(s, 5)
        assert [e.space_sequence for e in events] == [1, 2, 3, 4, 5]
        assert s.position == 0
        await s.ack(events[2])
        await s.ack(events[0])  # covered already
        assert s.position == 3
    assert await store.get_checkpoint("mailer") == 3
    assert await sequences(store.subscribe("mailer", follow=False)) == [4, 5]
    assert await sequences(store.subscribe("mailer", follow=False)) == []


async def test_what_was_not_acknowledged_comes_again(store):
    assert await sequences(store.subscribe("m", follow=False), ack=False) == [1, 2, 3, 4, 5]
    assert await sequences(store.subscribe("m", follow=False), ack=False) == [1, 2, 3, 4, 5]


async def test_names_have_checkpoints_of_their_own(store):
    assert await sequences(store.subscribe("one", follow=False)) == [1, 2, 3, 4, 5]
    assert await sequences(store.subscribe("two", follow=False)) == [1, 2, 3, 4, 5]
    assert await store.get_checkpoint("one") == await store.get_checkpoint("two") == 5


@pytest.mark.parametrize(
    ("start", "expected"), [("beginning", [1, 2, 3, 4, 5]), ("now", []), (3, [4, 5]), (5, [])]
)
async def test_a_new_name_begins_where_it_is_told_to(store, start, expected):
    assert await sequences(store.subscribe("s", start=start, follow=False)) == expected


async def test_a_checkpoint_wins_over_where_to_begin(store):
    await sequences(store.subscribe("s", start=3, follow=False))
    assert await sequences(store.subscribe("s", start="beginning", follow=False)) == []


async def test_now_is_when_the_block_is_entered(store):
    async with store.subscribe("s", start="now") as s:
        await store.execute(add)
        assert [e.space_sequence for e in await take(s, 1)] == [6]


async def test_a_start_beyond_the_log_is_refused(store):
    with pytest.raises(DataError, match="the log ends at 5"):
        async with store.subscribe("s", start=6):
            pass


async def test_it_goes_on_live_and_says_when_it_has_caught_up(store):
    async with store.subscribe("s", poll_interval=60) as s:
        await take(s, 4)
        assert not s.caught_up
        waiting = asyncio.create_task(take(s, 2))
        await asyncio.wait_for(s.wait_caught_up(), PATIENCE)  # after the fifth
        assert s.caught_up
        await store.execute(add)  # woken by the commit: the poll is far away
        assert [e.space_sequence for e in await waiting] == [5, 6]
        assert not s.caught_up


async def test_every_way_to_append_wakes_a_reader(store, db):
    async with store.subscribe("s", start="now", poll_interval=60) as s:
        async with store.transaction() as tx:
            await tx.execute(add)
        assert len(await take(s, 1)) == 1
        await db.events.append("acme", "e", "t", {})
        assert len(await take(s, 1)) == 1


async def test_what_joins_a_transaction_of_yours_is_found_by_polling(store, db):
    async with store.subscribe("s", start="now", poll_interval=SOON) as s:
        async with (
            db.connection() as connection,
            connection.begin(),
            store.join(connection) as tx,
        ):
            await tx.execute(add)
        assert [e.space_sequence for e in await take(s, 1)] == [6]


async def test_only_what_is_wanted_is_delivered_and_the_rest_counts_as_read(store, db):
    for kind, entity in (("x", "a"), ("x", "b"), ("y", "a"), ("z", "c")):
        await db.events.append("acme", entity, kind, {})

    async def read(name, **only):
        return await sequences(store.subscribe(name, follow=False, **only))

    assert await read("types", types=["x", "y"]) == [6, 7, 8]
    assert await read("entities", entities=["a"]) == [6, 8]
    assert await read("both", types=["x"], entities=["a"]) == [6]
    await db.events.append("acme", "d", "x", {}, tags=["red", "big"])
    await db.events.append("acme", "d", "x", {}, tags=["red"])
    assert await read("none", types=[]) == []
    assert await read("tags", tags=["big", "red"]) == [10]
    assert await read("tag", tags=["red"], types=["x"]) == [10, 11]
    assert await read("paged", types=["z"], buffer=2) == [9]
    for name in ("types", "entities", "both"):
        assert await store.get_checkpoint(name) == 9
    for name in ("none", "tags", "tag", "paged"):
        assert await store.get_checkpoint(name) == 11


async def test_a_filtered_event_is_not_passed_while_one_before_it_waits_for_its_ack(store, db):
    await db.events.append("acme", "e", "x", {})
    async with store.subscribe("s", types=["added"], follow=False) as s:
        events = [event async for event in s]
        await s.ack(events[3])
    assert await store.get_checkpoint("s") == 4


async def test_a_transaction_acknowledges_with_what_it_writes(store):
    async with store.subscribe("s") as s:
        first, second = await take(s, 2)
        async with s.transaction(first) as tx:
            await tx.append("e", "noted", {})
        assert s.position == 1
        with pytest.raises(ZeroDivisionError):
            async with s.transaction(second) as tx:
                await tx.append("e", "noted", {})
                raise ZeroDivisionError
        assert s.position == 1
        async with s.transaction(second) as tx:
            await tx.append("e", "noted", {})
    assert await store.get_checkpoint("s") == 2
    assert await store.events.get_space_latest_sequence() == 7


async def test_follow_up_commands_have_the_event_as_their_cause(store):
    await store.execute(add, correlation_id="request 7")
    async with store.subscribe("s", start=5) as s:
        (event,) = await take(s, 1)
        async with s.transaction(event) as tx:
            inherited = (await tx.execute(add)).events[0]
            own = await tx.append("e", "t", {}, causation_id=1, correlation_id="other")
        assert (inherited.causation_id, inherited.correlation_id) == (event.event_id, "request 7")
        assert (own.causation_id, own.correlation_id) == (1, "other")
    assert (await store.execute(add)).events[0].causation_id is None


async def test_statements_of_ones_own_commit_with_the_ack(store, db):
    async with db.connection() as connection, connection.begin():
        await connection.execute(sa.text("CREATE TABLE sent (n INTEGER)"))
    async with store.subscribe("s") as s:
        for event in await take(s, 2):
            async with s.transaction(event) as tx:
                statement = sa.text("INSERT INTO sent VALUES (:n)")
                await tx.connection.execute(statement, {"n": event.space_sequence})
    async with db.connection() as connection:
        found = await connection.execute(sa.text("SELECT n FROM sent ORDER BY n"))
        assert found.scalars().all() == [1, 2]


async def test_an_ack_on_a_connection_of_yours_happens_if_your_transaction_does(store, db):
    async with store.subscribe("s") as s:
        first, second, third = await take(s, 3)
        async with db.connection() as connection:
            with pytest.raises(MisuseError, match="open transaction"):
                await s.ack(first, connection)
            async with connection.begin():
                await s.ack(first, connection)
            async with connection.begin() as begun:
                await s.ack(second, connection)
                await begun.rollback()
        assert await store.get_checkpoint("s") == 1
        await s.ack(second)  # from where it really is
        assert await store.get_checkpoint("s") == 2
        async with db.connection() as connection, connection.begin():
            await s.ack(third, connection)
        assert s.position == 3
    assert await sequences(store.subscribe("s", follow=False)) == [4, 5]


async def test_whoever_lost_his_checkpoint_to_another_writes_nothing(store):
    async with store.subscribe("s") as s:
        first, second = await take(s, 2)
        await s.ack(first)
        await store.update_checkpoint(2, name="s")  # what another owner does
        with pytest.raises(SubscriptionLostError, match="is at 2, and .* at 1") as caught:
            await s.ack(second)
        error = caught.value
        assert (error.subscription, error.expected, error.actual) == ("s", 1, 2)
        assert isinstance(error, ramax.ConcurrencyError)
        third, fourth = await take(s, 2)  # it goes on from where the checkpoint is
        assert (third.space_sequence, fourth.space_sequence) == (3, 4)
        await s.ack(third)
        await store.update_checkpoint(5, name="s")
        with pytest.raises(SubscriptionLostError):
            async with s.transaction(fourth) as tx:
                await tx.execute(add)
    assert await store.events.get_space_latest_sequence() == 5


async def test_only_one_reads_and_another_takes_over(store):
    async with store.subscribe("s") as first:
        await take(first, 2, ack=True)
        async with store.subscribe("s") as second:
            waiting = asyncio.create_task(take(second, 3))
            await until(lambda: first.active and len(asyncio.all_tasks()) > 2)
            assert (first.active, second.active) == (True, False)
            await take(first, 1, ack=True)
            await first.__aexit__(None, None, None)
            await store.execute(add)
            assert [e.space_sequence for e in await waiting] == [4, 5, 6]
            assert second.active


async def test_a_deleted_space_ends_the_loop_with_an_error(store, db):
    async with store.subscribe("s", poll_interval=SOON) as s:
        events = await take(s, 5)
        await db.spaces.delete("acme", force=True)
        with pytest.raises(SpaceNotFoundError):
            await s.ack(events[0])
        with pytest.raises(SpaceNotFoundError):
            await take(s, 1)
    with pytest.raises(SpaceNotFoundError):
        async with store.subscribe("s"):
            pass


async def test_the_default_space_gets_its_row_by_a_subscription(db):
    store = await db.content_store("default", counter())
    async with store.subscribe("s") as s:
        assert s.key.space_id == 1
        await store.execute(add)
        assert len(await take(s, 1)) == 1


async def test_misuse_is_named(store):
    s = store.subscribe("s")
    with pytest.raises(MisuseError, match="async with"):
        await anext(s)
    event = await store.events.get_event(1)
    with pytest.raises(MisuseError, match="async with"):
        await s.ack(event)
    with pytest.raises(MisuseError, match="async with"):
        async with s.transaction(event):
            pass
    with pytest.raises(MisuseError, match="async with"):
        assert s.position
    async with s:
        (event,) = await take(s, 1)
        with pytest.raises(MisuseError, match="not delivered"):
            await s.ack((await store.execute(add)).events[0])
        with pytest.raises(MisuseError, match="give an Event"):
            await s.ack(event.space_sequence)
        with pytest.raises(MisuseError, match="AsyncConnection"):
            await s.ack(event, "app.db")
        await s.ack(event)
        with pytest.raises(MisuseError, match="already"):
            async with s.transaction(event):
                pass
        async with s.transaction((await take(s, 1))[0]):
            with pytest.raises(NestedTransactionError):
                await store.execute(add)
            with pytest.raises(NestedTransactionError):
                await anext(s)
        with pytest.raises(MisuseError, match="one block"):
            await s.__aenter__()


async def test_a_domain_of_a_reader_of_all_spaces_is_one(db):
    with pytest.raises(MisuseError, match="Domain"):
        db.subscribe_all("s", domain="orders")
    with pytest.raises(MisuseError, match="Domain"):
        await db.run_reactions("orders")


async def test_an_event_of_another_space_cannot_be_acknowledged(store, db):
    other = await db.content_store("other", counter())
    strange = (await other.execute(add)).events[0]
    async with store.subscribe("s") as s:
        await take(s, 1)
        with pytest.raises(MisuseError, match="not delivered"):
            await s.ack(strange)


async def test_all_spaces_come_in_one_order_new_ones_included(db):
    one = await db.content_store("one", counter())
    await one.execute(add)
    async with db.subscribe_all("search", poll_interval=60) as s:
        assert [e.space_id for e in await take(s, 1, ack=True)] == [one.space.space_id]
        two = await db.content_store("two", counter())
        waiting = asyncio.create_task(take(s, 3, ack=True))
        await two.execute_many([(add, None)] * 2)
        await one.execute(add)
        events = await waiting
        assert [e.event_id for e in events] == sorted(e.event_id for e in events)
        assert [(e.space_id, e.space_sequence) for e in events] == [
            (two.space.space_id, 1),
            (two.space.space_id, 2),
            (one.space.space_id, 2),
        ]
        assert s.position == events[-1].event_id
    async with db.subscribe_all("search", follow=False) as s:
        assert [e async for e in s] == []


async def test_a_deleted_space_is_passed_over(db):
    one, two = [await db.content_store(name, counter()) for name in ("one", "two")]
    await one.execute(add)
    await two.execute(add)
    await db.spaces.delete("one", force=True)
    async with db.subscribe_all("search", follow=False) as s:
        assert [e.space_id async for e in s] == [two.space.space_id]
        event = (await two.execute(add)).events[0]
    async with db.subscribe_all("search", follow=False) as s:
        events = [e async for e in s]
        await db.spaces.delete("two", force=True)
        with pytest.raises(SpaceNotFoundError):
            async with s.transaction(events[0]):
                pass
        await s.ack(event)


async def test_a_transaction_of_a_reader_of_all_spaces_is_over_the_events_space(db):
    one, two = [await db.content_store(name, counter()) for name in ("one", "two")]
    await one.execute(add)
    await two.execute(add)
    async with db.subscribe_all("s", domain=counter(), types=["added"]) as s:
        for event in await take(s, 2):
            async with s.transaction(event) as tx:
                await tx.append("e", "seen", {"of": event.space_id})
    for store in (one, two):
        seen = await store.events.get_events("e")
        assert [e.payload["of"] for e in seen] == [store.space.space_id]
        assert [e.causation_id for e in seen] == [(await store.events.get_events("n"))[0].event_id]


async def test_partitions_share_the_spaces_and_their_number_is_fixed(db):
    stores = [await db.content_store(f"s{n}", counter()) for n in range(5)]
    for store in stores * 2:
        await store.execute(add)
    found = {}
    for partition in range(3):
        async with db.subscribe_all("p", partitions=3, partition=partition, follow=False) as s:
            found[partition] = [(e.space_id, e.space_sequence) async for e in s]
    everything = [each for events in found.values() for each in events]
    assert sorted(everything) == sorted((s.space.space_id, n) for s in stores for n in (1, 2))
    assert all(space_id % 3 == p for p, events in found.items() for space_id, _ in events)
    with pytest.raises(DataError, match="'p' has 3"):
        async with db.subscribe_all("p", partitions=2):
            pass
    with pytest.raises(DataError, match="'p' has 3"):
        async with db.subscribe_all("p"):
            pass


async def test_partitions_are_read_at_the_same_time(db):
    async with (
        db.subscribe_all("p", partitions=2, partition=0) as even,
        db.subscribe_all("p", partitions=2, partition=1) as odd,
    ):
        for name in ("a", "b"):
            await (await db.content_store(name, counter())).execute(add)
        assert (await take(even, 1, ack=True))[0].space_id == 2
        assert (await take(odd, 1, ack=True))[0].space_id == 1
        assert even.active and odd.active


async def test_a_reader_of_all_and_one_of_a_space_may_share_a_name(store, db):
    assert await sequences(store.subscribe("same", follow=False)) == [1, 2, 3, 4, 5]
    assert await sequences(db.subscribe_all("same", follow=False)) == [1, 2, 3, 4, 5]


def evolving():
    domain = counter("evolving")

    @domain.upcaster("old", from_version=1)
    def split(event):
        return [NewEvent("new", {"part": n}, entity_id="e") for n in range(event.payload["parts"])]

    return domain


async def test_old_events_come_in_todays_shape_and_what_is_split_is_acknowledged_as_a_whole(db):
    store = await db.content_store("acme", evolving())
    for parts in (1, 2, 0, 1):
        await db.events.append("acme", "e", "old", {"parts": parts})
    async with store.subscribe("s", types=["new"]) as s:
        events = await take(s, 2)
        assert [(e.space_sequence, e.payload["part"]) for e in events] == [(1, 0), (2, 0)]
        await s.ack(events[1])  # its other part is still to come
        assert s.position == 1
        events = await take(s, 1)
        assert (events[0].event_type, events[0].payload["part"]) == ("new", 1)
        async with s.transaction(events[0]):
            pass
        assert s.position == 2
        assert [e.space_sequence for e in await take(s, 1)] == [4]
    assert await sequences(store.subscribe("t", types=["old"], follow=False)) == []
    assert await store.get_checkpoint("t") == 4
    async with db.subscribe_all("s", domain=evolving(), follow=False) as s:
        assert [e.event_type async for e in s] == ["new"] * 4


async def test_an_ack_of_an_earlier_part_does_not_cover_the_last_one(db):
    store = await db.content_store("acme", evolving())
    for parts in (1, 3, 1):
        await db.events.append("acme", "e", "old", {"parts": parts})
    async with store.subscribe("s") as s:
        _, first, second, *_ = await take(s, 5)  # all of it is delivered
        await s.ack(first)
        await s.ack(second)
        assert s.position == 1
        async with db.connection() as connection:
            places = sa.text(
                "SELECT last_event_id, parts_done FROM projection_checkpoints WHERE name = 's'"
            )
            assert (await connection.execute(places)).one() == (1, 2)
    (standing,) = await db.subscriptions.list("acme")
    assert (standing.position, standing.parts_done) == (1, 2)
    assert await db.checkpoints.get("acme", "s") == 1
    assert await numbers(store.subscribe("s", follow=False)) == [(2, 2), (3, 0)]


async def numbers(subscription):
    async with subscription as s:
        found = []
        async for event in s:
            found.append((event.space_sequence, event.part))
            await s.ack(event)
        return found


@pytest.mark.parametrize("over_all", [False, True])
async def test_a_reader_that_stops_between_two_parts_goes_on_with_the_next(db, over_all):
    """Also where the part is done by a transaction, and with a filter that leaves parts out."""
    store = await db.content_store("acme", evolving())
    for parts in (1, 4, 2):
        await db.events.append("acme", "e", "old", {"parts": parts})

    def reader(**how):
        if over_all:
            return db.subscribe_all("s", domain=evolving(), **how)
        return store.subscribe("s", **how)

    seen = []
    for _ in range(7):
        async with reader() as s:
            (event,) = await take(s, 1)
            async with s.transaction(event):
                seen.append((event.space_sequence, event.part))
            with pytest.raises(MisuseError, match="acknowledged already"):
                async with s.transaction(event):
                    pass
    assert seen == [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1)]
    assert await numbers(reader(follow=False)) == []


@pytest.mark.parametrize(("then", "left"), [(5, [2, 3, 4]), (3, [2]), (2, []), (1, []), (0, [])])
async def test_a_part_is_known_by_its_number_when_upcasters_make_other_parts(db, then, left):
    store = await db.content_store("acme", evolving())
    await db.events.append("acme", "e", "old", {"parts": 3})
    await db.events.append("acme", "e", "old", {"parts": 1})
    async with store.subscribe("s") as s:
        _, second = await take(s, 2)
        await s.ack(second)
    changed = counter("evolving")
    changed.upcaster("old", from_version=1)(
        lambda event: [
            NewEvent("new", {"part": n}, entity_id="e")
            for n in range(then if event.space_sequence == 1 else 1)
        ]
    )
    store = await db.content_store("acme", changed)
    found = await numbers(store.subscribe("s", follow=False))
    assert found == [(1, n) for n in left] + [(2, 0)]
    assert await store.get_checkpoint("s") == 2


async def test_a_part_that_comes_later_cannot_be_acknowledged_yet(db):
    store = await db.content_store("acme", evolving())
    await db.events.append("acme", "e", "old", {"parts": 3})
    async with store.subscribe("s") as s:
        first, second = await take(s, 2)
        await store.update_checkpoint(0, name="s")
        s.begin_again()
        assert await take(s, 1) == [first]
        with pytest.raises(MisuseError, match="a part of event 1 was not delivered yet"):
            await s.ack(second)
        await s.ack(first)
        await s.ack(first)
    assert await numbers(store.subscribe("s", follow=False)) == [(1, 1), (1, 2)]


@pytest.mark.parametrize("commit", [True, False])
async def test_an_ack_of_a_part_on_a_connection_of_yours_happens_if_your_transaction_does(
    db, commit
):
    store = await db.content_store("acme", evolving())
    await db.events.append("acme", "e", "old", {"parts": 3})
    async with store.subscribe("s") as s:
        first, second, third = await take(s, 3)
        async with db.connection() as connection, connection.begin() as begun:
            await s.ack(first, connection)
            await s.ack(second, connection)
            if not commit:
                await begun.rollback()
        if commit:
            await s.ack(third)
    assert await numbers(store.subscribe("s", follow=False)) == (
        [] if commit else [(1, 0), (1, 1), (1, 2)]
    )


async def test_who_lost_his_checkpoint_writes_nothing_for_a_first_part_either(db):
    store = await db.content_store("acme", evolving())
    await db.events.append("acme", "e", "old", {"parts": 2})
    async with store.subscribe("s") as s:
        (part,) = await take(s, 1)
        await store.update_checkpoint(1, name="s")  # what another owner does
        with pytest.raises(SubscriptionLostError):
            async with s.transaction(part) as tx:
                await tx.execute(add)
    assert await store.events.get_space_latest_sequence() == 1


async def test_a_transaction_that_did_commit_is_not_made_again(store):
    """Its connection broke at the commit: nobody could say, and then the database does."""
    async with store.subscribe("s") as s:
        (event,) = await take(s, 1)
        async with s.transaction(event):
            pass
        s._cursor.settle(Place(0))
        s._cursor.doubt(Place(1))
        with pytest.raises(SubscriptionLostError):
            async with s.transaction(event) as tx:
                await tx.execute(add)
        assert [e.space_sequence for e in await take(s, 1)] == [2]
    assert await store.events.get_space_latest_sequence() == 5
