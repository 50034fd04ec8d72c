import asyncio

import pytest

from ramax import Domain, MisuseError, NewEvent, SubscriptionPausedError
from tests._reading import until


def orders(log, *, fail=()):
    """A process: an order that is placed is paid, and a mail is sent about it."""
    domain = Domain("orders", entity_id=lambda payload: f"order:{payload['n']}")

    @domain.applicator("placed", "paid")
    def noted(state, event):
        state[event.entity_id] = event.event_type

    @domain.reaction("placed")
    async def collect(event, reaction):
        log.append(("collect", reaction.deduplication_id))
        await reaction.execute(pay, event.payload)
        if event.payload["n"] in fail:
            raise RuntimeError("after the command")

    @domain.reaction("placed", "paid", name="mails")
    async def mail(event, reaction):
        log.append(("mail", reaction.deduplication_id))

    return domain


def place(state, params):
    return [NewEvent("placed", {"n": params})]


def pay(state, params):
    return [NewEvent("paid", params)]


async def react(store, **options):
    async with asyncio.timeout(25):
        await store.run_reactions(follow=False, attempts=2, **options)


async def test_each_reaction_runs_once_for_each_of_its_events(db):
    log: list[tuple[str, str]] = []
    store = await db.content_store("acme", orders(log))
    for n in (1, 2):
        await store.execute(place, n, correlation_id=f"request {n}")
    await react(store)
    await react(store)
    assert [each for each in log if each[0] == "collect"] == [
        ("collect", "1/orders.collect/1"),
        ("collect", "1/orders.collect/2"),
    ]
    assert sorted(each for each in log if each[0] == "mail") == [
        ("mail", f"1/mails/{n}") for n in (1, 2, 3, 4)
    ]
    paid = [e async for e in store.events.stream_space_events(event_types=["paid"])]
    assert [(e.payload["n"], e.causation_id, e.correlation_id) for e in paid] == [
        (1, 1, "request 1"),
        (2, 2, "request 2"),
    ]


async def test_a_reaction_that_runs_again_has_its_follow_up_once(db):
    log: list[tuple[str, str]] = []
    fail = {1}
    store = await db.content_store("acme", orders(log, fail=fail))
    await store.execute(place, 1)
    with pytest.raises(SubscriptionPausedError, match=r"orders\.collect"):
        await react(store)
    collected = [each for each in log if each[0] == "collect"]
    assert collected == [("collect", "1/orders.collect/1")] * 2
    fail.clear()
    await db.subscriptions.resume("orders.collect", space="acme")
    await react(store)
    assert [e.event_type async for e in store.events.stream_space_events()] == ["placed", "paid"]


async def test_a_rebuild_does_not_react(db):
    log: list[tuple[str, str]] = []
    store = await db.content_store("acme", orders(log))
    await store.execute(place, 1)
    await react(store)
    await react(store)  # the mail about what the first one did
    before = list(log)
    assert await store.rebuild_pstate() == 2
    await react(store)
    assert log == before


async def test_one_can_begin_now(db):
    log: list[tuple[str, str]] = []
    store = await db.content_store("acme", orders(log))
    await store.execute(place, 1)
    await react(store, start="now")
    assert log == []


async def test_all_spaces_react_in_their_own_space(db):
    log: list[tuple[str, str]] = []
    domain = orders(log)
    stores = [await db.content_store(name, domain) for name in ("a", "b", "c")]
    for store in stores:
        await store.execute(place, 7)
    async with asyncio.timeout(25):
        await db.run_reactions(domain, follow=False, partitions=2)
    for store in stores:
        found = [e async for e in store.events.stream_space_events()]
        assert [e.event_type for e in found] == ["placed", "paid"]
        assert found[1].causation_id == found[0].event_id
    collected = {each for each in log if each[0] == "collect"}
    assert collected == {("collect", f"{s.space.space_id}/orders.collect/1") for s in stores}


async def test_it_goes_on_live_and_ends_when_it_is_cancelled(db):
    log: list[tuple[str, str]] = []
    store = await db.content_store("acme", orders(log))
    running = asyncio.create_task(store.run_reactions(poll_interval=60))
    await until(lambda: len(db._core.leases._held) == 2)
    await store.execute(place, 1)
    await until(lambda: len(log) == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not db._core.leases._held


async def test_a_domain_without_reactions_is_a_mistake(db):
    store = await db.content_store("acme")
    with pytest.raises(MisuseError, match="no reactions"):
        await store.run_reactions()
    with pytest.raises(MisuseError, match="no reactions"):
        await db.run_reactions(Domain("empty"))


def parcels(log):
    """Orders that were stored as one event, and are a parcel for each item by now."""
    domain = orders(log)

    @domain.upcaster("ordered", from_version=1)
    def split(event):
        return [NewEvent("placed", {"n": n}) for n in event.payload["items"]]

    return domain


async def test_each_part_of_a_split_event_has_its_own_follow_ups(db):
    log: list[tuple[str, str]] = []
    store = await db.content_store("acme", parcels(log))
    await store.events.append("order:1", "ordered", {"items": [1, 1, 2]}, version=1)
    await react(store)
    assert [dedup for name, dedup in log if name == "collect"] == [
        "1/orders.collect/1",
        "1/orders.collect/1.1",
        "1/orders.collect/1.2",
    ]
    paid = [e.payload["n"] async for e in store.events.stream_space_events(event_types=["paid"])]
    assert paid == [1, 1, 2]
