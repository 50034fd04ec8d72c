"""Who waits in this process for a checkpoint to move, and the calls that wake him."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

Checkpoint = tuple[int, str]
"""The id of a space, and the name of a reader of it."""


class Arrivals:
    """Waiters by checkpoint. A hint only: whoever waits looks at the checkpoint again."""

    def __init__(self) -> None:
        self._waiters: dict[Checkpoint, set[asyncio.Event]] = {}

    def moved(self, space_id: int, name: str) -> None:
        """Wake whoever waits for this checkpoint."""
        for waiter in self._waiters.get((space_id, name), ()):
            waiter.set()

    @contextmanager
    def watching(self, space_id: int, name: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the checkpoint moves, as long as the block runs."""
        waiter, key = asyncio.Event(), (space_id, name)
        self._waiters.setdefault(key, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiters = self._waiters[key]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[key]
