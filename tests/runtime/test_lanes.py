"""A contended space gets a lane: its jobs in order, beside those of others, gone when empty."""

import asyncio

from ramax.core.new_events import Causes
from ramax.runtime.jobs import Append, Job
from ramax.runtime.lanes import Lanes


def job(space_id: int = 1) -> Job:
    future = asyncio.get_running_loop().create_future()
    return Job(space_id, f"space {space_id}", Append(None, [], Causes()), future)


class Worker:
    """Works off batches, each when its space is let go on."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[Job]]] = []
        self.go_on = {1: asyncio.Event(), 2: asyncio.Event()}

    async def __call__(self, space_id: int, jobs: list[Job]) -> None:
        self.batches.append((space_id, jobs))
        await self.go_on[space_id].wait()


async def test_jobs_keep_their_order_and_no_batch_is_too_large() -> None:
    worker = Worker()
    lanes = Lanes(worker, batch=2)
    jobs = [job() for _ in range(5)]
    lanes.open(jobs[0])
    assert all(lanes.takes(each) for each in jobs[1:])
    worker.go_on[1].set()
    await asyncio.wait(lanes.tasks)
    assert worker.batches == [(1, jobs[:2]), (1, jobs[2:4]), (1, jobs[4:])]


async def test_a_lane_is_gone_when_it_is_empty_and_not_before() -> None:
    worker = Worker()
    lanes = Lanes(worker, batch=2)
    assert not lanes.takes(job())
    lanes.open(first := job())
    await asyncio.sleep(0)  # the first batch is on its way
    assert worker.batches == [(1, [first])]
    assert lanes.takes(late := job())
    worker.go_on[1].set()
    await asyncio.wait(lanes.tasks)
    assert worker.batches[1:] == [(1, [late])]
    assert 1 not in lanes
    assert not lanes.takes(job())
    await asyncio.sleep(0)
    assert not lanes.tasks


async def test_a_lane_that_is_held_up_does_not_hold_up_another() -> None:
    worker = Worker()
    lanes = Lanes(worker, batch=2)
    lanes.open(job(1))
    lanes.open(job(2))
    assert not lanes.takes(job(3))
    held = set(lanes.tasks)
    worker.go_on[2].set()
    await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
    assert (1 in lanes, 2 in lanes) == (True, False)
    worker.go_on[1].set()
    await asyncio.wait(held)
    assert 1 not in lanes


async def test_who_has_left_is_not_worked_for() -> None:
    worker = Worker()
    lanes = Lanes(worker, batch=2)
    jobs = [job() for _ in range(4)]
    for each in jobs:
        lanes.open(each)
    for each in jobs[:3]:
        each.future.cancel()
    worker.go_on[1].set()
    await asyncio.wait(lanes.tasks)
    assert worker.batches == [(1, jobs[3:])]
