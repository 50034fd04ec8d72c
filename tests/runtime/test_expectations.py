"""Appends and commands that expect something: of the space, of entities, of what a query finds."""

import asyncio

import pytest

from ramax import (
    ConcurrencyError,
    DataError,
    IdempotencyConflictError,
    MisuseError,
    NewEvent,
    Query,
    TransactionFailedError,
)
from tests._domains import counter, documents, put


def fact(entity="e", *tags, event_type="noted"):
    return NewEvent(event_type, {}, entity_id=entity, tags=tags)


async def newest(db):
    return await db.events.get_space_latest_sequence("s")


@pytest.fixture
async def store(db):
    """Three events: two of `e`, one of `f` with a tag."""
    store = await db.content_store("s", documents())
    await store.events.append_many([fact(), fact("f", "x"), fact()])
    await (await db.content_store("other", documents())).events.append_many([fact()] * 9)
    return store


async def test_an_append_expects_a_number_of_events_of_its_entity(db, store):
    assert await store.events.get_entity_version("e") == 2
    await store.events.append("e", "noted", {}, expected_version=2)
    for stale in (0, 2, 4, "none"):
        with pytest.raises(ConcurrencyError) as caught:
            await store.events.append("e", "noted", {}, expected_version=stale)
        assert (caught.value.entity_id, caught.value.actual) == ("e", 3)
    await store.events.append("e", "noted", {}, expected_version="exists")
    await store.events.append("new", "noted", {}, expected_version="none")
    with pytest.raises(ConcurrencyError):
        await store.events.append("never", "noted", {}, expected_version="exists")
    assert await newest(db) == 6
    assert await store.events.get_entity_version("never") == 0
    assert await db.events.get_entity_version("default", "e") == 0


async def test_several_facts_expect_versions_of_their_entities(db, store):
    await store.events.append_many([fact()] * 2, expected_version=2)
    wanted = {"e": 4, "f": 1, "new": "none"}
    await db.events.append_many("s", [fact(), fact("new")], expected_version=wanted)
    with pytest.raises(ConcurrencyError) as caught:
        await db.events.append_many("s", [fact()], expected_version=wanted)
    assert (caught.value.entity_id, caught.value.expected, caught.value.actual) == ("e", 4, 5)
    with pytest.raises(MisuseError, match="several|2 entities"):
        await store.events.append_many([fact(), fact("f")], expected_version=1)
    assert await newest(db) == 7


async def test_a_command_expects_versions_by_entity(db, store):
    await store.execute(put, ("e", {"n": 1}), expected_version={"e": 2, "k": "none"})
    with pytest.raises(ConcurrencyError):
        await store.execute(put, ("e", {"n": 2}), expected_version={"e": 2})
    with pytest.raises(ConcurrencyError):
        await store.execute_many([(put, ("e", {"n": 2}))], expected_version={"e": "none"})
    await store.execute_many([(put, ("e", {"n": 3}))] * 2, expected_version={"e": 3})
    assert (await store.pstate.get("e"), await newest(db)) == ({"n": 3}, 6)


async def test_nothing_is_appended_where_something_matches(db, store):
    x = Query(tags=["x"])
    with pytest.raises(ConcurrencyError) as caught:
        await store.events.append_if([fact("g", "x")], no_match=x)
    assert (caught.value.expected, caught.value.actual, caught.value.query) == (0, 2, x)
    [fourth] = await store.events.append_if([fact("g", "x")], no_match=x, after=2)
    assert fourth.space_sequence == 4
    with pytest.raises(ConcurrencyError):
        await db.events.append_if("s", [fact("g", "x")], no_match=x, after=3)
    await db.events.append_if("s", [fact()], no_match=x | Query(["never"]), after=4)
    with pytest.raises(ConcurrencyError):
        await store.events.append_if([fact()], no_match=Query(), after=4)
    await store.events.append_if([fact()], no_match=Query(), after=5)
    assert await newest(db) == 6


async def test_of_equal_appends_at_once_one_gets_through(db, store):
    """They share a batch: the later ones see what the first adds."""
    for number, appends in enumerate(
        [
            [store.events.append_if([fact("g", "y")], no_match=Query(tags=["y"])) for _ in "12345"],
            [store.events.append("h", "noted", {}, expected_version="none") for _ in "12345"],
            [store.events.append_many([fact("i")] * 2, expected_version=0) for _ in "12345"],
            [store.execute(put, ("j", {}), expected_version={"j": "none"}) for _ in "12345"],
        ]
    ):
        answers = await asyncio.gather(*appends, return_exceptions=True)
        refused = [each for each in answers if isinstance(each, ConcurrencyError)]
        assert len(refused) == 4, number
        assert all("of space 's'" in str(each) for each in refused)
    assert await newest(db) == 3 + 1 + 1 + 2 + 1


async def test_what_was_refused_did_not_disturb_its_batch(db, store):
    answers = await asyncio.gather(
        store.events.append("e", "noted", {}),
        store.events.append("e", "noted", {}, expected_version=2),
        store.events.append("e", "noted", {}, expected_version=3),
        store.events.append_if([fact("q", "q")], no_match=Query(["noted"], ["e"]), after=5),
        return_exceptions=True,
    )
    assert [isinstance(each, ConcurrencyError) for each in answers] == [False, True, False, False]
    assert await newest(db) == 6


async def test_an_idempotent_append_is_answered_again_although_it_would_not_fit_now(db, store):
    arguments = {"no_match": Query(tags=["y"]), "idempotency_key": "k"}
    first = await store.events.append_if([fact("g", "y")], **arguments)
    assert await store.events.append_if([fact("g", "y")], **arguments) == first
    first = await store.events.append_many([fact("h")], expected_version=0, idempotency_key="l")
    again = await store.events.append_many([fact("h")], expected_version=0, idempotency_key="l")
    assert (again, await newest(db)) == (first, 5)
    with pytest.raises(IdempotencyConflictError):  # tags are content
        await store.events.append_many([fact("h", "z")], idempotency_key="l")


async def test_a_transaction_sees_what_it_wrote_itself(db, store):
    async with store.transaction() as tx:
        await tx.append("e", "noted", {}, expected_version=2)
        await tx.append_many([fact(), fact()], expected_version=3)
        await tx.execute(put, ("e", {}), expected_version={"e": 5})
        await tx.append_if([fact("g", "y")], no_match=Query(tags=["y"]))
        for step in (
            tx.append("e", "noted", {}, expected_version=2),
            tx.append_many([fact()], expected_version={"e": "none"}),
            tx.execute(put, ("e", {}), expected_version={"e": 5}),
            tx.append_if([fact()], no_match=Query(tags=["y"])),
            tx.at("s").append_if([fact()], no_match=Query(entities=["g"]), after=7),
        ):
            with pytest.raises(ConcurrencyError):
                await step
        await tx.append_if([fact()], no_match=Query(tags=["y"]), after=8)
    assert await newest(db) == 9


async def test_what_is_expected_of_an_empty_default_gives_it_no_row(db):
    store = await db.content_store("default", counter())
    with pytest.raises(ConcurrencyError):
        await store.events.append("e", "noted", {}, expected_version="exists")
    assert (await db.spaces.get("default")).space_id == 0
    await store.events.append("e", "noted", {}, expected_version="none")
    assert await db.events.get_entity_version("default", "e") == 1


async def test_wrong_expectations_are_refused_before_anything_happens(db, store):
    for wrong in (-1, "any", 1.5, True):
        with pytest.raises(DataError):
            await store.events.append("e", "noted", {}, expected_version=wrong)
    for query in (None, "x", {"tags": ["x"]}):
        with pytest.raises(MisuseError):
            await store.events.append_if([fact()], no_match=query)
    with pytest.raises(DataError):
        await store.events.append_if([fact()], no_match=Query(), after=-1)
    for after in (4, 1 << 40):  # an event id instead of a sequence would let everything pass
        with pytest.raises(DataError, match="beyond the newest event, 3"):
            await store.events.append_if([fact()], no_match=Query(), after=after)
    with pytest.raises(MisuseError):
        await store.execute(put, ("e", {}), expected_version=2)
    assert await newest(db) == 3


async def test_a_refused_step_leaves_a_transaction_usable(db, store):
    try:
        async with store.transaction() as tx:
            with pytest.raises(ConcurrencyError):
                await tx.append("e", "noted", {}, expected_version=9)
            await tx.append("e", "noted", {})
    except TransactionFailedError:
        pytest.fail("an expectation that is not met is an answer, not a failure")
    assert await newest(db) == 4
