"""Tasks that belong together: when one ends, all do, and the first error is heard."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any


async def first_to_fail(flows: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all until one ends, end the others, and raise the first error."""
    tasks = [asyncio.ensure_future(flow) for flow in flows]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]
    finally:
        await ended(tasks)
    for task in failed:
        task.result()


async def ended(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """End tasks, and return when they have; their errors are nobody's concern any more."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # it is heard: the first one is raised
