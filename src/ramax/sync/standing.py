"""How one layer of a space stands: what is told of it now, and remembered when it is closed."""

import asyncio
from dataclasses import replace

from ramax.core.sync.vector import Vector, covers
from ramax.storage.layer_cursors import LayerCursor
from ramax.sync.layer import LayerInfo
from ramax.sync.status import LayerState, LayerStatus, closed_status
from ramax.sync.transfer import Position
from ramax.values import from_micros


class Standing:
    """The position and health of a layer, from its last cursor on; times are UTC microseconds."""

    def __init__(self, layer_id: str, known: LayerCursor | None) -> None:
        cursor = known or LayerCursor(layer_id, {})
        self.layer_id = layer_id
        self.position = Position(cursor.vector)
        self.state: LayerState = "connecting"
        self.failures = 0
        self.retry_at: int | None = None
        self.unsaved = False
        """Whether something happened that the cursor does not tell yet."""
        self.connected, self.lost = asyncio.Event(), asyncio.Event()
        self._seen = asyncio.Event()
        self._epoch, self._heard_at = cursor.epoch, cursor.heard_at
        self._failed_at, self._error = cursor.failed_at, cursor.error
        self._saved_at = 0

    def connecting(self) -> None:
        """Note that it is tried."""
        self.state = "connecting"
        self.lost.clear()

    def looked(self, info: LayerInfo, there: Vector, now: int) -> bool:
        """Note where it is; return whether it has lost what it had, or is another one."""
        reset = (self._epoch is not None and info.epoch != self._epoch) or not covers(
            there, self.position.vector
        )
        self.position.holds = info.space_uid is not None
        self.position.set(there)
        self.position.release()
        self._epoch = info.epoch
        self._seen.set()
        self.heard(now)
        return reset

    def works(self) -> None:
        """Note that it works, and that what it has is here."""
        self.state, self.failures, self._error, self._failed_at = "connected", 0, None, None
        self.unsaved = True
        self.connected.set()

    def heard(self, now: int) -> None:
        """Note that it has answered."""
        self._heard_at, self.unsaved = now, True

    def failed(self, error: Exception, now: int) -> bool:
        """Note that it failed; return whether that is news."""
        news = self.state == "connected" or not self.failures
        self.state = "waiting"
        self.connected.clear()
        self.lost.set()
        self.failures += 1
        self._failed_at, self._error, self.unsaved = now, str(error), True
        return news

    async def has(self, vector: Vector) -> None:
        """Wait until it has said since the beginning that it has all of ``vector``."""
        await self._seen.wait()  # what is remembered of a layer is not what it has
        await self.position.reached(vector)

    async def reached(self, vector: Vector) -> None:
        """Wait until it works and has all of ``vector``."""
        await self.connected.wait()
        await self.position.reached(vector)

    def status(self, vector: Vector) -> LayerStatus:
        """Say how it is; ``vector`` is that of the space."""
        status = closed_status(self.cursor(), self.position.meant(vector))
        return replace(
            status,
            state=self.state,
            retry_at=None if self.retry_at is None else from_micros(self.retry_at),
            failures=self.failures,
        )

    def due(self, now: int, pause: int) -> bool:
        """Say whether there is something to remember, and the last time is long enough ago."""
        # a clock that was set back says that it is yet to come
        return self.unsaved and not 0 <= now - self._saved_at < pause

    def saved(self, now: int) -> None:
        """Note that the cursor was written."""
        self._saved_at, self.unsaved = now, False

    def cursor(self) -> LayerCursor:
        """Return what is remembered of it."""
        return LayerCursor(
            self.layer_id,
            self.position.vector,
            self._epoch,
            self._heard_at,
            self._failed_at,
            self._error,
            len(self.position.refused),
        )
