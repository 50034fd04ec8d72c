import pytest

from ramax import DataError, SubscriptionPausedError
from ramax.errors import SubscriptionNotFoundError
from tests._domains import add, counter
from tests._reading import sequences, take


@pytest.fixture
async def store(db):
    made = await db.content_store("acme", counter())
    for _ in range(3):
        await made.execute(add)
    return made


async def test_the_list_says_how_far_everybody_is(store, db):
    other = await db.content_store("other", counter())
    async with store.subscribe("one") as s, other.subscribe("two"), db.subscribe_all("all") as a:
        await s.ack((await take(s, 2))[1])
        await a.ack((await take(a, 1))[0])
        listed = await db.subscriptions.list()
        assert [(x.name, x.space and x.space.space_name, x.position, x.head) for x in listed] == [
            ("all", None, 1, 3),
            ("one", "acme", 2, 3),
            ("two", "other", 0, 0),
        ]
        owner = db._core.leases.owner
        assert [x.owner for x in listed] == [owner, owner, None]
        assert [x.name for x in await db.subscriptions.list("acme")] == ["one"]
    assert {x.owner for x in await db.subscriptions.list()} == {None}
    assert await db.subscriptions.list("default") == []


async def test_partitions_are_listed_and_paused_together(store, db):
    for partition in (0, 1):
        async with db.subscribe_all("p", partitions=2, partition=partition, follow=False) as s:
            for event in [e async for e in s]:
                await s.ack(event)
    found = await db.subscriptions.list()
    assert [(x.partition, x.partitions, x.position) for x in found] == [(0, 2, 3), (1, 2, 3)]
    await db.subscriptions.pause("p", reason="by hand")
    found = await db.subscriptions.list()
    assert [x.reason for x in found] == ["by hand"] * 2
    await db.subscriptions.resume("p")
    assert all(x.paused_at is None for x in await db.subscriptions.list())


async def test_a_paused_one_is_paused_for_whoever_opens_it(store, db):
    assert await sequences(store.subscribe("s", follow=False)) == [1, 2, 3]
    await db.subscriptions.pause("s", space="acme")
    with pytest.raises(SubscriptionPausedError, match="by hand"):
        await sequences(store.subscribe("s", follow=False))
    with pytest.raises(SubscriptionNotFoundError, match="not stopped at an event"):
        await db.subscriptions.skip("s", space="acme")
    await db.subscriptions.resume("s", space="acme")
    await store.execute(add)
    assert await sequences(store.subscribe("s", follow=False)) == [4]


async def test_skipping_never_goes_back(store, db):
    async def fails(event):
        if event.space_sequence == 2:
            raise RuntimeError

    with pytest.raises(SubscriptionPausedError):
        async with store.subscribe("s", follow=False) as s:
            await s.run(fails, attempts=1)
    await store.update_checkpoint(3, name="s")
    await db.subscriptions.skip("s", space="acme")
    assert await store.get_checkpoint("s") == 3
    assert await sequences(store.subscribe("s", follow=False)) == []


async def test_a_forgotten_name_begins_anew(store, db):
    await sequences(store.subscribe("s", follow=False))
    await sequences(db.subscribe_all("s", follow=False))
    await db.subscriptions.delete("s")
    assert await sequences(store.subscribe("s", follow=False)) == []
    assert await sequences(db.subscribe_all("s", follow=False)) == [1, 2, 3]
    await db.subscriptions.delete("s", space="acme")
    assert await sequences(store.subscribe("s", follow=False)) == [1, 2, 3]


async def test_what_is_not_there_is_named(store, db):
    admin = db.subscriptions
    for call in (admin.pause, admin.resume, admin.skip, admin.delete, admin.retry, admin.parked):
        for space in (None, "acme", "default"):
            with pytest.raises(SubscriptionNotFoundError, match="'nobody'"):
                await call("nobody", space=space)
        with pytest.raises(DataError):
            await call("a/b")


async def test_an_event_that_is_not_parked_can_be_neither_retried_nor_skipped(store, db):
    async def fails(event):
        raise RuntimeError

    async with store.subscribe("s", follow=False) as s:
        await s.run(fails, attempts=1, on_error="park")
    first, second, _ = await db.subscriptions.parked("s", space="acme")
    with pytest.raises(SubscriptionNotFoundError, match="no such event that failed"):
        await db.subscriptions.retry("s", second, space="acme")  # it waits
    await db.subscriptions.skip("s", first, space="acme")
    with pytest.raises(SubscriptionNotFoundError, match="parked no such event"):
        await db.subscriptions.skip("s", first, space="acme")
    with pytest.raises(SubscriptionNotFoundError, match="no such event that failed"):
        await db.subscriptions.retry("s", first, space="acme")
