"""Jobs without an answer wait again, alone if one of them may be guilty, or fail."""

import asyncio
import time

import pytest

import ramax
from ramax.core.guard import Guard
from ramax.core.new_events import Causes
from ramax.errors import StorageBusyError, StorageError
from ramax.runtime.jobs import Append, Job
from ramax.runtime.queue import Limits, WorkQueue
from ramax.runtime.retries import Retries
from ramax.storage.faults import UniqueViolationError


def job(space_id=1, *, patience=60.0):
    future = asyncio.get_running_loop().create_future()
    made = Job(space_id, f"space {space_id}", Append(None, [], Causes()), future)
    made.deadline = time.monotonic() + patience
    return made


class Desk:
    """Retries of a database in memory, over a queue that nothing else empties."""

    def __init__(self, db):
        core = db._core
        self.cache, self.queue, self.resumed = core.cache, WorkQueue(100, 8), 0
        limits = Limits(optimistic_tries=3)
        self.retries = Retries(core.backend, core.attempts, self.queue, limits, self._resume)

    def _resume(self):
        self.resumed += 1


@pytest.fixture
async def desk():
    async with ramax.connect() as db:
        yield Desk(db)


async def test_who_lost_a_race_is_next_and_its_space_is_looked_at_again(desk):
    desk.queue.append(later := job())
    desk.cache.observe(1, "space 1", Guard(3, 0, 0, 3, None), {}, desk.cache.tick(1))
    lost = [job(), job()]
    desk.retries.again(lost)
    assert desk.cache.known(1) is None
    assert desk.queue.take() == [*lost, later]
    assert [each.attempts for each in lost] == [1, 1]
    assert desk.resumed == 1


async def test_behind_a_lock_only_those_wait_again_who_still_may(desk):
    patient, overdue = job(), job(patience=-1.0)
    desk.retries.failed([patient, overdue], busy := StorageBusyError("locked"))
    assert desk.queue.take() == [patient]
    assert overdue.future.exception() is busy
    assert not patient.future.done()


async def test_after_a_failure_of_several_each_is_tried_alone(desk):
    jobs = [job(1), job(2), job(1)]
    desk.retries.failed(jobs, StorageError("one of them"))
    assert [desk.queue.take() for _ in range(3)] == [[each] for each in jobs]


async def test_whoever_fails_alone_gets_the_error(desk):
    guilty, error = job(), StorageError("broken")
    desk.retries.failed([guilty], error)
    assert guilty.future.exception() is error
    assert desk.queue.take() == []


async def test_a_bug_fails_everybody_at_once(desk):
    jobs, error = [job(), job()], AssertionError("a bug")
    desk.retries.failed(jobs, error)
    assert [each.future.exception() for each in jobs] == [error, error]


async def test_a_row_that_is_there_already_is_looked_for_a_few_times(desk):
    late, error = job(), UniqueViolationError("there already")
    for _ in range(3):
        desk.retries.failed([late], error)
        assert desk.queue.take() == [late]
    desk.retries.failed([late], error)
    assert late.future.exception() is error
