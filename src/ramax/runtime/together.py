"""Running several loops until all end, or one fails and takes the others with it."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any


async def run_together(loops: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run each in a task of that name; what one raises ends the others, and is raised here.

    Raises:
        ExceptionGroup: Several failed before they could be ended; one alone is raised as it is.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for name, loop in loops.items():
                group.create_task(loop, name=name)
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) > 1:
            raise
        error = failed.exceptions[0]
        raise error from error.__cause__
