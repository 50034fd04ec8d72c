"""An attempt starts from what is known, and what came of it is known afterwards, or nothing is."""

import asyncio

import pytest

import ramax
from ramax import NewEvent
from ramax.core.guard import Guard
from ramax.core.new_events import Causes
from ramax.runtime.jobs import Append, Job
from tests._domains import add, counter


def job(space_id):
    future = asyncio.get_running_loop().create_future()
    return Job(space_id, f"space {space_id}", Append(None, [], Causes()), future)


@pytest.fixture
async def core():
    async with ramax.connect() as db:
        yield db._core


async def test_every_space_is_looked_up_once_in_order(core):
    guard = Guard(3, 0, 0, 3, None)
    core.cache.observe(2, "space 2", guard, {}, core.cache.tick(2))
    attempt = core.attempts.prepare([job(2), job(1), job(2)], locked=False)
    assert list(attempt.seen) == [2, 1]
    known, tick = attempt.seen[2]
    assert (known.guard, tick) == (guard, core.cache.tick(2))
    assert attempt.seen[1] == (None, 0)
    assert [trial.job.space_id for trial in attempt.trials] == [2, 1, 2]


async def test_no_two_attempts_have_the_same_token(core):
    tokens = {core.attempts.prepare([job(1)], locked=False).token for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {8}


async def test_only_a_watched_attempt_looks_at_the_clock(core):
    assert core.attempts.prepare([job(1)], locked=False).begun == 0.0


async def test_new_events_are_told_and_remembered(db):
    store = await db.content_store("acme", counter())
    heard: list[list[int]] = []
    db._core.attempts.on_commit = heard.append
    await store.execute(add)
    await store.execute(lambda *_: [])
    await store.events.append_many([NewEvent("x", {}, entity_id="e")])
    space_id = store.space.space_id
    assert heard == [[space_id], [space_id]]
    known = db._core.cache.known(space_id)
    assert known.guard.last_sequence == 2


async def test_of_a_lost_batch_nothing_is_known(core):
    core.cache.observe(1, "space 1", Guard(3, 0, 0, 3, None), {}, core.cache.tick(1))
    attempt = core.attempts.prepare([waiting := job(1)], locked=False)
    attempt.answered = attempt.trials
    core.attempts.deliver_lost(attempt)
    assert core.cache.known(1) is None
    assert waiting.future.result() == []
