import asyncio
import threading

import pytest

from ramax.legacy import LegacyValue
from ramax.legacy.pages import PAGE, PAGE_BYTES, in_thread, pages, take


def values(count, size=1):
    return (LegacyValue(1, f"k{n}", b"x" * size, "etf", None) for n in range(count))


async def test_pages_hold_all_records_in_order_and_none_is_empty():
    found = [page async for page in pages(values(2 * PAGE + 1))]
    assert [len(page) for page in found] == [PAGE, PAGE, 1]
    assert [v.key for page in found for v in page] == [f"k{n}" for n in range(2 * PAGE + 1)]
    assert [page async for page in pages(values(0))] == []


def test_a_page_ends_when_its_bytes_are_enough():
    large = values(5, size=PAGE_BYTES // 2)
    assert [len(take(large)) for _ in range(4)] == [2, 2, 1, 0]


async def test_what_is_read_is_read_beside_the_event_loop():
    assert await in_thread(threading.get_ident) != threading.get_ident()


async def test_who_is_cancelled_leaves_only_when_the_thread_is_done():
    began, end, done = threading.Event(), threading.Event(), []

    def work():
        began.set()
        end.wait(10)
        done.append(True)

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    asyncio.get_running_loop().call_soon(end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
