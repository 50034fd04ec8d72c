"""What a space manager tells: how each layer is, and what has just happened to it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ramax.core.sync.vector import Vector, behind
from ramax.storage.layer_cursors import LayerCursor
from ramax.values import from_micros

_MOST_EVENTS = 1000

LayerState = Literal["connecting", "connected", "waiting", "closed"]

EventKind = Literal[
    "opened",  # the space is ready
    "closed",
    "connected",
    "disconnected",  # with the error; the worker tries again
    "received",  # records of others, taken into the space
    "pushed",  # records, taken by the layer
    "caught_up",  # nothing is left to pull or to push
    "refused",  # records that the layer, or this replica, does not take
    "reset",  # the layer has lost what it had, or is another one
]


@dataclass(frozen=True, slots=True)
class LayerStatus:
    """One layer of one space."""

    layer_id: str
    state: LayerState
    behind: int
    """Events of the space that the layer was not yet heard to have."""

    last_error: str | None = None
    """Why it failed, if it does not work now."""

    failed_at: datetime | None = None
    heard_at: datetime | None = None
    """When it last answered."""

    retry_at: datetime | None = None
    """When it is tried again, if it is waiting for that."""

    failures: int = 0
    """How often in a row it failed."""

    refused: int = 0
    """Events that it does not take, for good."""

    @property
    def connected(self) -> bool:
        """Whether it works now."""
        return self.state == "connected"


def closed_status(cursor: LayerCursor, vector: Vector) -> LayerStatus:
    """Say how a layer was when it was last heard; ``vector`` is where the space is now."""
    return LayerStatus(
        cursor.layer_id,
        "closed",
        behind(vector, cursor.vector),
        cursor.error,
        failed_at=_moment(cursor.failed_at),
        heard_at=_moment(cursor.heard_at),
        refused=cursor.refused,
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


@dataclass(frozen=True, slots=True)
class SyncEvent:
    """Something that happened to a space, or between it and one of its layers."""

    kind: EventKind
    space: str
    layer_id: str | None = None
    count: int = 0
    error: Exception | None = None


class SyncEvents:
    """What happens from now on; one who reads too slowly loses the oldest of it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[SyncEvent | None] = asyncio.Queue(_MOST_EVENTS)

    def __aiter__(self) -> AsyncIterator[SyncEvent]:
        return self

    async def __anext__(self) -> SyncEvent:
        event = await self._queue.get()
        if event is None:
            self.put(None)
            raise StopAsyncIteration
        return event

    def put(self, event: SyncEvent | None) -> None:
        """Add an event; None is the end."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)
