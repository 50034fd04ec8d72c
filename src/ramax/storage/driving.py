"""Synchronous work that waits for the database, begun at once and driven without a task.

A task costs two turns of the event loop around a batch: one before it begins, one before somebody
hears of its end. On a connection that is open there is nothing in a batch that needs a task
(ADR-0028).
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

Done = Callable[[BaseException | None], None]


class _Work(greenlet):  # type: ignore[misc]
    """Where the work runs; `await_only` asks for this mark, and then switches to the parent."""

    __sqlalchemy_greenlet_provider__ = True


class Drive:
    """Runs ``work(argument)`` up to its end, then calls ``done`` in a later turn of the loop.

    What the work awaits by `sqlalchemy.util.await_only` is a coroutine that waits for futures, and
    has no task: nobody can cancel it, and `asyncio.timeout` would have nothing to interrupt. What
    needs a task is handed over as one.
    """

    __slots__ = ("_done", "_waiting", "_work")

    def __init__(self, work: Callable[[Any], object], argument: Any, done: Done) -> None:
        self._work = _Work(work, getcurrent())
        self._waiting: Coroutine[Any, Any, Any] | None = None
        # work that never waits: whoever begins it has to come to his end first
        loop = asyncio.get_running_loop()
        self._done: Callable[[BaseException | None], object] = partial(_soon, loop, done)
        self._go_on(argument, None)
        self._done = done

    def _go_on(self, value: Any, error: BaseException | None) -> None:
        """Give the work what it waited for, and so on until it waits for a future or has ended."""
        work = self._work
        work.parent = getcurrent()
        while True:
            try:
                waiting = work.switch(value) if error is None else work.throw(error)
            except BaseException as failure:  # the work's own, whatever it is
                self._done(failure)
                if isinstance(failure, (KeyboardInterrupt, SystemExit)):
                    raise
                return
            if work.dead:
                self._done(None)
                return
            if asyncio.isfuture(waiting):
                waiting = _result_of(waiting)
            self._waiting = waiting
            try:
                future = waiting.send(None)
            except StopIteration as end:
                value, error = end.value, None
            except BaseException as failure:  # for the work to hear of
                value, error = None, failure
            else:
                self._wait_for(future)
                return

    def _wait_for(self, future: Any) -> None:
        if future is None:  # asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(self._resume, None)
            return
        future._asyncio_future_blocking = False  # noqa: SLF001 - whoever drives a future does that
        future.add_done_callback(self._resume)

    def _resume(self, _future: Any) -> None:
        waiting = self._waiting
        assert waiting is not None
        try:
            future = waiting.send(None)
        except StopIteration as end:
            self._go_on(end.value, None)
        except BaseException as failure:  # for the work to hear of
            self._go_on(None, failure)
        else:
            self._wait_for(future)


async def _result_of(future: asyncio.Future[Any]) -> Any:
    return await future


def _soon(loop: asyncio.AbstractEventLoop, done: Done, error: BaseException | None) -> None:
    loop.call_soon(done, error)
