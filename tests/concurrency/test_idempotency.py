"""A command with an idempotency key happens once, however often and from wherever it is sent."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import ramax
from ramax import NewEvent
from ramax.errors import IdempotencyConflictError
from tests.concurrency._audit import audit, dump
from tests.concurrency._ledger import Overdrawn, close, ledger, post
from tests.concurrency._processes import run_together


def params(name: str, **more: Any) -> dict[str, Any]:
    return {"account": "a", "amount": 1, "name": name} | more


async def test_repeats_in_one_batch_get_the_first_answer(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    commits = await asyncio.gather(
        *[
            store.execute(post, params(f"n{number % 3}", parts=2), idempotency_key=f"k{number % 3}")
            for number in range(30)
        ]
    )
    assert await store.events.get_space_latest_sequence() == 6
    for number in range(3):
        same = commits[number::3]
        assert [commit.replayed for commit in same] == [False] + [True] * 9
        assert {commit.events for commit in same} == {same[0].events}
        assert {commit.space_sequence for commit in same} == {same[0].space_sequence}


async def test_processes_that_do_the_same_do_it_once(durable_url: str) -> None:
    calls = [(durable_url, "same", "4", "10", "acme", "globex")] * 3
    printed = await asyncio.to_thread(run_together, "poster", calls)
    answers: dict[str, list[str]] = {}
    for line in sorted(line for output in printed for line in output.splitlines()):
        name, rest = line.split(" ", 1)
        answers.setdefault(name, []).append(rest)
    assert len(answers) == 40
    for lines in answers.values():
        ids = {line.rsplit(" ", 1)[0] for line in lines}
        assert len(ids) == 1
        assert [line.rsplit(" ", 1)[1] for line in lines].count("False") == 1
    found = await audit(durable_url)
    assert sorted(name for space in found.values() for name in space.commands) == sorted(answers)


async def test_a_repeat_after_a_restart_gets_the_first_answer(durable_url: str) -> None:
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", ledger)
        first = await store.execute(post, params("one", parts=3), idempotency_key="k")
        await store.execute(post, params("two"))
    before = await dump(durable_url)
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", ledger)
        again = await store.execute(post, params("one", parts=3), idempotency_key="k")
    assert again.replayed
    assert (again.events, again.space_sequence) == (first.events, first.space_sequence)
    assert await dump(durable_url) == before


@pytest.mark.parametrize("rounds", range(0, 12, 2))
async def test_who_left_before_the_answer_gets_it_by_asking_again(
    db: ramax.Database, rounds: int
) -> None:
    store = await db.content_store("acme", ledger)
    task = asyncio.create_task(store.execute(post, params("one"), idempotency_key="k"))
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    again = await store.execute(post, params("one"), idempotency_key="k")
    assert again.space_sequence == 1
    assert await store.events.get_space_latest_sequence() == 1


async def test_other_content_under_a_used_key_is_a_conflict(durable_url: str) -> None:
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, params("one"), idempotency_key="k")
        before = await dump(durable_url)
        for other in (
            store.execute(post, params("two"), idempotency_key="k"),
            store.execute(close, params("one"), idempotency_key="k"),
            store.execute_many([(post, params("one"))] * 2, idempotency_key="k"),
            store.events.append("account:a", "posted", params("one"), idempotency_key="k"),
        ):
            with pytest.raises(IdempotencyConflictError) as caught:
                await other
            assert (caught.value.space, caught.value.key) == ("acme", "k")
            assert not caught.value.retryable
        assert await dump(durable_url) == before


async def test_other_content_in_the_same_batch_is_a_conflict_too(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    results = await asyncio.gather(
        *[
            store.execute(post, params(f"n{number % 2}"), idempotency_key="k")
            for number in range(6)
        ],
        return_exceptions=True,
    )
    assert [type(each) for each in results] == [ramax.Commit, IdempotencyConflictError] * 3
    assert await store.events.get_space_latest_sequence() == 1


async def test_a_no_is_not_remembered(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    spend = params("spend", amount=-1)
    for _ in range(2):
        with pytest.raises(Overdrawn):
            await store.execute(post, spend, idempotency_key="k")
    results = await asyncio.gather(
        store.execute(post, spend, idempotency_key="k"),
        store.execute(post, params("earn")),
        store.execute(post, spend, idempotency_key="k"),
        store.execute(post, spend, idempotency_key="k"),
        return_exceptions=True,
    )
    assert isinstance(results[0], Overdrawn)
    assert isinstance(results[2], ramax.Commit)
    assert isinstance(results[3], ramax.Commit)
    assert (results[2].replayed, results[3].replayed) == (False, True)
    assert await store.events.get_space_latest_sequence() == 2


async def test_that_nothing_was_to_be_done_is_remembered(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    first = await store.execute(close, params("nothing"), idempotency_key="k")
    assert (first.events, first.space_sequence, first.replayed) == ((), 0, False)
    await store.execute(post, params("one"))
    again = await store.execute(close, params("nothing"), idempotency_key="k")
    assert (again.events, again.space_sequence, again.replayed) == ((), 0, True)
    assert await store.events.get_space_latest_sequence() == 1


async def test_two_processes_may_find_at_once_that_nothing_is_to_be_done(
    durable_url: str,
) -> None:
    """Neither moves the sequence, so only the key's own row tells them apart."""
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as two:
        stores = [await db.content_store("acme", ledger) for db in (one, two)]
        for number in range(25):
            commits = await asyncio.gather(
                *[
                    store.execute(close, params("nothing"), idempotency_key=f"k{number}")
                    for store in stores
                ]
            )
            assert sorted(commit.replayed for commit in commits) == [False, True]
    assert len((await dump(durable_url))["idempotency_keys"]) == 25


async def test_several_commands_under_one_key_are_answered_each_again(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    commands = [
        (post, params("one", parts=2)),
        (close, params("gone", account="b")),
        (post, params("two")),
    ]
    first = await store.execute_many(commands, idempotency_key="k")
    await store.execute(post, params("three"))
    again = await store.execute_many(commands, idempotency_key="k")
    assert [commit.events for commit in again] == [commit.events for commit in first]
    assert [commit.space_sequence for commit in again] == [2, 2, 3]
    assert all(commit.replayed for commit in again)


async def test_a_fact_under_a_key_is_recorded_once(db: ramax.Database) -> None:
    await db.spaces.create("acme")
    first = await db.events.append("acme", "e", "t", {"n": 1}, idempotency_key="k")
    assert await db.events.append("acme", "e", "t", {"n": 1}, idempotency_key="k") == first
    many = [NewEvent("t", {"n": n}, entity_id="e") for n in range(3)]
    recorded = await db.events.append_many("acme", many, idempotency_key="many")
    assert await db.events.append_many("acme", many, idempotency_key="many") == recorded
    assert await db.events.get_space_latest_sequence("acme") == 4


async def test_a_key_belongs_to_its_space(db: ramax.Database) -> None:
    acme, globex = [await db.content_store(name, ledger) for name in ("acme", "globex")]
    commits = await asyncio.gather(
        acme.execute(post, params("one"), idempotency_key="k"),
        globex.execute(post, params("other"), idempotency_key="k"),
    )
    assert not any(commit.replayed for commit in commits)
    await db.spaces.delete("acme", force=True)
    again = await db.content_store("acme", ledger)
    assert not (await again.execute(post, params("one"), idempotency_key="k")).replayed


async def test_a_key_without_recognisable_content_is_refused(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)

    def anything(state: Mapping[str, Any], _: Any) -> list[NewEvent]:
        return []

    with pytest.raises(ramax.CodecError):
        await store.execute(anything, object(), idempotency_key="k")
    for key in ("", "x" * 256, "nul\0"):
        with pytest.raises(ramax.DataError):
            await store.execute(anything, idempotency_key=key)
