"""B13: who follows a log is told once of an event that came late, and that it did."""

import copy
import pickle

import pytest

from ramax import Domain, NewEvent
from ramax.testing.records import record

ONE = b"device-of-origin"


def notes() -> Domain:
    domain = Domain("notes")

    @domain.applicator("note.written")
    def was_written(state, event):
        assert not event.late  # the order in which it folds is right already
        state["all"] = [*state.get("all", []), event.payload["value"]]

    return domain


def write(_state, value):
    return [NewEvent("note.written", {"value": value}, entity_id="n")]


async def two_replicas(db, domain):
    """An event here, a late one of another replica, and one here that knows it."""
    store = await db.content_store("notes", domain)
    await store.replica.enable()
    await store.execute(write, "here")
    late = record(ONE, 1, "late", stamp=1 << 16)
    await store.replica.ingest([late])
    await store.replica.ingest([late])  # again: it is a duplicate
    await store.execute(write, "after")
    return store


async def delivered(subscription) -> list[tuple[object, bool]]:
    found = []
    async with subscription as reader:
        async for event in reader:
            found.append((event.payload["value"], event.late))
            await reader.ack(event)
    return found


EXPECTED = [("here", False), ("late", True), ("after", False)]


async def test_a_subscription_delivers_a_late_event_once_and_marks_it(db):
    """B13."""
    store = await two_replicas(db, notes())
    assert await delivered(store.subscribe("s", follow=False)) == EXPECTED
    assert await delivered(store.subscribe("s", follow=False)) == []
    assert await store.pstate.get("all") == ["late", "here", "after"]
    assert await delivered(store.subscribe("s", follow=False)) == []  # folding is not happening


async def test_a_subscription_to_all_spaces_marks_them_too(db):
    """B13: spaces that are not replicated have none."""
    other = await db.content_store("other", notes())
    await other.execute(write, "alone")
    await two_replicas(db, notes())
    assert await delivered(db.subscribe_all("all", follow=False)) == [("alone", False), *EXPECTED]
    assert await delivered(db.subscribe_all("all", follow=False)) == []


async def test_the_event_that_a_space_began_with_is_not_late(db):
    store = await db.content_store("notes", notes())
    await store.execute(write, "first")
    await store.replica.enable()
    assert await delivered(store.subscribe("s", follow=False)) == [("first", False)]


async def test_a_reaction_is_told_that_its_event_is_late_and_not_run_again(db):
    """B13."""
    domain, seen = notes(), []

    @domain.reaction("note.written")
    async def tell(event, _reaction):
        seen.append((event.payload["value"], event.late))

    store = await two_replicas(db, domain)
    await store.run_reactions(follow=False)
    assert seen == EXPECTED
    await store.rebuild_pstate()
    await store.run_reactions(follow=False)
    assert seen == EXPECTED


async def test_all_that_upcasters_make_of_a_late_event_is_late(db):
    domain = Domain("notes")

    @domain.upcaster("note.written", from_version=1)
    def split(event):
        return [
            NewEvent("part", {"value": f"{event.payload['value']} {part}"}, entity_id="n")
            for part in "ab"
        ]

    store = await two_replicas(db, domain)
    found = await delivered(store.subscribe("s", follow=False))
    assert [late for value, late in found if str(value).startswith("late")] == [True, True]
    assert sum(late for _, late in found) == 2


async def test_a_parked_event_is_late_when_it_is_tried_again(db):
    store, seen = await two_replicas(db, notes()), []

    async def handle(event):
        seen.append((event.payload["value"], event.late))
        if seen == EXPECTED[:2]:
            raise RuntimeError("not yet")

    subscription = store.subscribe("s", follow=False)
    async with subscription as reader:
        await reader.run(handle, on_error="park", attempts=1)
    assert seen == EXPECTED
    assert await db.subscriptions.retry("s", space="notes") == 1
    async with store.subscribe("s", follow=False) as reader:
        await reader.run(handle, on_error="park", attempts=1)
    assert seen == [*EXPECTED, EXPECTED[1]]


async def test_lateness_is_not_a_part_of_the_fact(db):
    """Who reads the log has the same event, in the order in which all of them came."""
    store = await two_replicas(db, notes())
    read = [event async for event in store.events.stream_space_events()]
    async with store.subscribe("s", follow=False) as reader:
        found = [event async for event in reader]
    assert found == read
    assert [event.late for event in read] == [False, False, False]
    again = [pickle.loads(pickle.dumps(event)) for event in found]
    assert [event.late for event in again] == [False, True, False]
    assert copy.deepcopy(found[1]).late
    with pytest.raises(AttributeError):
        found[0].late = True
