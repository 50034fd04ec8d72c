"""Work that goes on to its end when whoever waits for it is cancelled."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """Wait until ``work`` has ended, even if cancelled meanwhile, once or more often.

    What it works on is busy until then, and would otherwise be used, or closed, under it.
    """
    running = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not running.cancelled():
            running.exception()  # it is heard: the caller has left
        raise cancelled
    return running.result()
