"""A command with a key happens once, and whoever repeats it gets the first answer."""

import asyncio

import pytest

import ramax
from ramax import (
    Rejected,
)
from ramax.errors import (
    IdempotencyConflictError,
)
from tests._domains import add, add_read, counter, nothing
from tests._tables import dump


@pytest.fixture
async def store(db):
    return await db.content_store("acme", counter())


async def test_a_repeat_gets_the_first_answer(db, store):
    await store.execute(add)
    first = await store.execute(add, 5, idempotency_key="k")
    before = await dump(db)
    again = await store.execute(add, 5, idempotency_key="k")
    assert not first.replayed
    assert again.replayed
    assert (again.events, again.space_sequence) == (first.events, first.space_sequence)
    assert await dump(db) == before
    assert await store.pstate.fetch("n") == 6


async def test_a_key_with_other_content_is_a_conflict(db, store):
    await store.execute(add, 5, idempotency_key="k")
    before = await dump(db)
    for attempt in (
        lambda: store.execute(add, 6, idempotency_key="k"),
        lambda: store.execute(add_read, 5, idempotency_key="k"),
        lambda: store.execute_many([(add, 5), (add, 5)], idempotency_key="k"),
        lambda: store.events.append("n", "added", {"by": 5}, idempotency_key="k"),
    ):
        with pytest.raises(IdempotencyConflictError) as caught:
            await attempt()
        assert (caught.value.space, caught.value.key) == ("acme", "k")
    assert await dump(db) == before


async def test_a_command_that_did_nothing_is_remembered_and_a_refusal_is_not(store):
    first = await store.execute(nothing, idempotency_key="nothing")
    await store.execute(add)
    again = await store.execute(nothing, idempotency_key="nothing")
    assert (again.events, again.space_sequence, again.replayed) == ((), 0, True)
    assert first.space_sequence == 0

    def no_then_yes(state, params):
        if not state.get("n", 0) > 1:
            raise Rejected
        return add(state, 1)

    with pytest.raises(Rejected):
        await store.execute(no_then_yes, idempotency_key="later")
    await store.execute(add)
    assert not (await store.execute(no_then_yes, idempotency_key="later")).replayed


async def test_equal_keys_at_the_same_moment_happen_once(store):
    commits = await asyncio.gather(
        *(store.execute(add, 1, idempotency_key=f"k{n % 5}") for n in range(50))
    )
    assert await store.pstate.fetch("n") == 5
    assert sum(not commit.replayed for commit in commits) == 5
    for n, commit in enumerate(commits):
        assert commit.event_ids == commits[n % 5].event_ids


async def test_several_commands_repeat_as_one(store):
    pairs = [(add, 1), (nothing, None), (add, 2)]
    first = await store.execute_many(pairs, idempotency_key="k")
    again = await store.execute_many(pairs, idempotency_key="k")
    assert [c.events for c in again] == [c.events for c in first]
    assert [c.space_sequence for c in again] == [c.space_sequence for c in first]
    assert all(c.replayed for c in again)


async def test_keys_are_the_spaces_own(db, store):
    other = await db.content_store("other", counter())
    await store.execute(add, idempotency_key="k")
    assert not (await other.execute(add, idempotency_key="k")).replayed


async def test_keys_outlive_the_process(durable_url):
    for replayed in (False, True):
        async with ramax.connect(durable_url) as db:
            store = await db.content_store("acme", counter())
            commit = await store.execute(add, 1, idempotency_key="k")
            assert (commit.replayed, commit.event_ids) == (replayed, (1,))
