"""The writer's queue keeps the order, shares a batch fairly, and takes nothing for nobody."""

import asyncio
from collections.abc import Iterable

from ramax.core.new_events import Causes
from ramax.runtime.jobs import Append, Job
from ramax.runtime.queue import WorkQueue
from ramax.runtime.turn import Turn


def job(space_id: int = 1) -> Job:
    future = asyncio.get_running_loop().create_future()
    return Job(space_id, f"space {space_id}", Append(None, [], Causes()), future)


def turn() -> Turn:
    return Turn("a turn", asyncio.get_running_loop().create_future())


def queue_of(items: Iterable[Job | Turn], *, size: int = 100, batch: int = 8) -> WorkQueue:
    queue = WorkQueue(size, batch)
    for item in items:
        queue.append(item)
    return queue


async def test_a_space_alone_fills_the_batch_in_order() -> None:
    jobs = [job() for _ in range(11)]
    queue = queue_of(jobs, batch=8)
    assert queue.take() == jobs[:8]
    assert queue.take() == jobs[8:]
    assert queue.take() == []


async def test_a_busy_space_leaves_room_for_the_others() -> None:
    busy, quiet = [job(1) for _ in range(20)], [job(2), job(3)]
    queue = queue_of([*busy, *quiet], batch=8)
    first = queue.take()
    assert set(quiet) < set(first)
    assert len(first) == 8
    taken = [*first]
    while batch := queue.take():
        taken += batch
    assert [each for each in taken if each.space_id == 1] == busy


async def test_a_turn_splits_batches_and_waits_for_what_came_before_it() -> None:
    before, mine, after = job(), turn(), job()
    queue = queue_of([before, mine, after])
    assert queue.take_turn() is None
    assert queue.take() == [before]
    assert queue.take() == []
    assert queue.take_turn() is mine
    assert queue.take() == [after]


async def test_who_has_left_is_passed_over() -> None:
    left, stays, gone, next_turn = job(), job(), turn(), turn()
    left.future.cancel()
    gone.granted.cancel()
    queue = queue_of([left, stays, gone, next_turn])
    assert queue.take() == [stays]
    assert queue.take_turn() is next_turn
    assert len(queue) == 0


async def test_jobs_that_failed_together_are_taken_one_at_a_time() -> None:
    jobs, later = [job(), job(2), job()], [job(), job()]
    queue = queue_of(later)
    queue.put_back_singly(jobs)
    assert [queue.take() for _ in range(4)] == [[jobs[0]], [jobs[1]], [jobs[2]], later]


async def test_as_many_wait_outside_as_there_is_no_room_for_and_enter_in_order() -> None:
    queue = queue_of([job(), job()], size=2, batch=4)
    assert queue.full
    entered: list[int] = []

    async def caller(number: int) -> None:
        await queue.room()
        entered.append(number)

    waiting = [asyncio.create_task(caller(number)) for number in range(4)]
    await asyncio.sleep(0)  # let each come to the door
    assert queue.outside == 4
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    assert len(queue.take()) == 2
    await asyncio.wait(waiting[:3])
    assert entered == [1, 2]
    assert queue.outside == 1
    queue.let_in(queue.outside)
    await waiting[3]
    assert entered == [1, 2, 3]


async def test_several_batches_are_of_different_spaces_and_share_what_waits() -> None:
    jobs = [job(space_id) for space_id in (1, 2, 3, 4, 1, 2)]
    queue = queue_of(jobs)
    assert queue.take(free=2) == [jobs[0], jobs[4], jobs[1], jobs[5]]
    queue.append(again := job(1))
    assert queue.take({1: None, 2: None}, 1) == jobs[2:4]
    assert queue.take({1: None, 2: None, 3: None, 4: None}, 1) == []
    assert queue.take({3: None, 4: None}, 1) == [again]
    assert len(queue) == 0


async def test_a_batch_leaves_spaces_to_one_that_went_ahead_with_few() -> None:
    jobs = [job(space_id) for space_id in range(2, 10)]
    assert queue_of(jobs).take({1: None}, 1) == jobs[:5]


async def test_a_space_alone_gets_all_that_it_may_whoever_else_could_go() -> None:
    jobs = [job() for _ in range(11)]
    assert queue_of(jobs, batch=8).take(free=2) == jobs[:8]


async def test_what_goes_alone_waits_until_nothing_is_on_its_way() -> None:
    jobs = [job(space_id) for space_id in (1, 2)]
    queue = queue_of([])
    queue.put_back_singly(jobs)
    assert queue.take({3: None}, 1) == []
    assert queue.take(free=2) == [jobs[0]]
    assert queue.take({1: None}, 1) == []
    assert queue.take(free=2) == [jobs[1]]
