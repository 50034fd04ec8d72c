"""Rests of a busy event loop, so that the thread of a connection gets the interpreter.

A loop that always finds something to do lets go of the interpreter's lock once per turn, to ask the
selector, and takes it back before a waiting thread has woken. The thread is never found waiting for
as long as the switch interval, so it may get one statement in a second. A pause that is longer than
waking takes lets it in.
"""

import asyncio
import time
from typing import Final

EVERY: Final = 0.002
"""How often it is looked whether a thread starves, in s; only while it has work."""

REST: Final = 0.0002
"""How long the loop then pauses, in s: a tenth of its time, and ample for dozens of statements."""

_BUSY: Final = 0.8
"""The share of its time that a loop computes from which on a thread may starve beside it."""


class Rests:
    """Watches the work of one thread; `begin` is called on the loop, `end` in the thread."""

    __slots__ = ("_begun", "_computed", "_ended", "_ended_before", "_looked", "_watched", "taken")

    def __init__(self) -> None:
        self._begun = self._ended = self._ended_before = 0
        self._watched = False
        self._looked = self._computed = 0.0
        self.taken = 0

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear that the thread is given something to do."""
        self._begun += 1
        if not self._watched:
            self._watched = True
            self._remember()
            loop.call_later(EVERY, self._look, loop)

    def end(self) -> None:
        """Hear that the thread has done it."""
        self._ended += 1

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._ended >= self._begun:
            self._watched = False
            return
        passed, computed = time.perf_counter() - self._looked, time.thread_time() - self._computed
        if self._ended == self._ended_before and computed > passed * _BUSY:
            self.taken += 1
            time.sleep(REST)  # the loop itself has to stand still
        self._remember()
        loop.call_later(EVERY, self._look, loop)

    def _remember(self) -> None:
        self._ended_before = self._ended
        self._looked, self._computed = time.perf_counter(), time.thread_time()
