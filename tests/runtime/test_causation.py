import asyncio

from ramax.runtime.causation import handling, inherited
from ramax.values import Event
from tests._domains import add, counter


async def test_commands_and_appends_of_a_block_inherit_from_its_event(db):
    store = await db.content_store("acme", counter())
    cause = (await store.execute(add, correlation_id="c")).events[0]
    with handling(cause):
        within = [
            (await store.execute(add)).events[0],
            await store.events.append("e", "t", {}),
            (await asyncio.create_task(store.execute(add))).events[0],
        ]
        other = (await store.execute(add, causation_id=99, correlation_id="d")).events[0]
    assert {(e.causation_id, e.correlation_id) for e in within} == {(cause.event_id, "c")}
    assert (other.causation_id, other.correlation_id) == (99, "d")
    after = (await store.execute(add)).events[0]
    assert (after.causation_id, after.correlation_id) == (None, None)


async def test_a_block_in_a_block_ends_with_the_outer_one(db):
    store = await db.content_store("acme", counter())
    one, two = [(await store.execute(add)).events[0] for _ in range(2)]
    assert isinstance(one, Event)
    with handling(one):
        with handling(two):
            assert inherited(None, None).causation_id == two.event_id
        assert inherited(None, None).causation_id == one.event_id
    assert inherited(None, "c") == (None, "c")
