"""A batch that memory can decide reads nothing; else it is known what to fetch, all at once."""

import asyncio

import pytest

import ramax
from ramax.core.new_events import Causes
from ramax.runtime.discovery import discover, fetch
from ramax.runtime.jobs import Execute, Job
from tests._domains import add, add_read, counter

pytestmark = pytest.mark.postgres

domain = counter()


@pytest.fixture
async def core(postgres_url):
    async with ramax.connect(postgres_url) as db:
        for name in ("one", "other"):
            await (await db.content_store(name, domain)).execute(add)
        yield db._core


async def jobs_of(core, *wanted, key=None):
    future = asyncio.get_running_loop().create_future
    made = []
    for name, command in wanted:
        space = await core.find_by_name(name)
        work = Execute(domain, [(command, None)], Causes())
        made.append(Job(space.space_id, name, work, future(), key))
    return made


async def discovered(core, jobs):
    attempt = core.attempts.prepare(jobs, locked=False)
    wanted = await core.read(lambda ex: discover(ex, attempt))
    return attempt, wanted


def looking(*keys):
    def look(state, params):
        return [] if any(state.get(key) for key in keys) else add(state, None)

    return look


async def test_what_memory_can_decide_is_decided(core):
    attempt, wanted = await discovered(core, await jobs_of(core, ("one", add_read)))
    assert wanted is None
    (trial,) = attempt.trials
    assert [len(rows) for rows in trial.groups] == [1]
    assert trial.head == 1


async def test_of_a_space_that_is_not_known_the_guard_is_wanted(core):
    jobs = await jobs_of(core, ("one", add_read), ("other", add_read))
    unknown = jobs[1].space_id
    core.cache.forget(unknown)
    attempt, wanted = await discovered(core, jobs)
    assert wanted.keys() == {unknown}
    assert not attempt.units  # nothing of the first try is left
    assert all(trial.groups is None for trial in attempt.trials)
    found = await core.read(lambda ex: fetch(ex, attempt, wanted))
    assert found[unknown].guard.last_sequence == 1


async def test_keys_that_are_not_known_are_fetched_with_the_guard_that_is(core):
    jobs = await jobs_of(core, ("one", looking("n2")))
    attempt, wanted = await discovered(core, jobs)
    (space_id,) = wanted
    assert wanted == {space_id: ["n2"]}
    found = await core.read(lambda ex: fetch(ex, attempt, wanted))
    assert found[space_id].guard is attempt.seen[space_id][0].guard
    assert found[space_id].values == {"n2": None}


async def test_a_no_that_memory_gives_is_one(core):
    def refuse(state, params):
        raise ValueError(state["n"])

    attempt, wanted = await discovered(core, await jobs_of(core, ("one", refuse)))
    assert wanted is None
    assert str(attempt.trials[0].error) == "1"


async def test_a_key_for_once_only_is_always_looked_up(core):
    jobs = await jobs_of(core, ("one", add_read), key="k")
    _, wanted = await discovered(core, jobs)
    assert wanted == {jobs[0].space_id: []}
