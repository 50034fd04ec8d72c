"""Carrying records between a replica and a layer: what one side lacks, in batches it takes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector, advanced, behind, covers, joined
from ramax.core.sync.wire import size_of
from ramax.errors import GapError, ProtocolError
from ramax.sync.layer import Incoming, Layer, LayerInfo, Refused, TwoWayLayer
from ramax.sync.replica import Replica

T = TypeVar("T")

PAGE = 500

Told = Callable[[int, int], None]
"""Is told how many records were carried, and how many of them the other side refused."""


class Position:
    """How far a layer is known to be; those who wait for it hear of every move."""

    def __init__(self, vector: Vector) -> None:
        self.vector = dict(vector)
        self.refused: set[bytes] = set()
        """Uids of records that one side does not take now; what follows them waits as well."""
        self.held_here: dict[bytes, int] = {}
        self.held_there: dict[bytes, int] = {}
        """Origins of such records, that the replica, or the layer, did not take: up to where."""
        self.takes: frozenset[bytes] | None = None
        """Whose events the layer takes from us; None: everybody's."""

        self.holds = bool(vector)
        """Whether the layer is known to hold the space, if only its id."""
        self._moved = asyncio.Event()

    def meant(self, vector: Vector) -> Vector:
        """Return what of a vector is meant for the layer."""
        if self.takes is None:
            return vector
        return {origin: seq for origin, seq in vector.items() if origin in self.takes}

    def unmeant(self, vector: Vector) -> Vector:
        """Return what the layer has, or has no use for, of a replica at ``vector``."""
        if self.takes is None:
            return self.vector
        others = {origin: seq for origin, seq in vector.items() if origin not in self.takes}
        return joined(self.vector, others)

    def settled(self, vector: Vector) -> Vector:
        """Return up to where nothing of a replica at ``vector`` has to be pushed now."""
        return joined(self.unmeant(vector), self.held_there)

    def release(self) -> None:
        """Let what was refused be tried again: it may have been of the future."""
        self.held_here.clear()
        self.held_there.clear()

    def add(self, vector: Vector) -> None:
        """Note that the layer has at least this."""
        self.set(joined(self.vector, vector))

    def set(self, vector: Vector) -> None:
        """Note where the layer says that it is."""
        self.vector = dict(vector)
        self.holds = self.holds or bool(vector)
        self._ring()

    def held(self) -> None:
        """Note that the layer holds the space."""
        self.holds = True
        self._ring()

    async def reached(self, vector: Vector) -> None:
        """Wait until the layer holds the space, and has all of ``vector``."""
        vector = self.meant(vector)
        while not (self.holds and covers(self.vector, vector)):
            await self._moved.wait()

    def _ring(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


async def claim(layer: Layer, takes: LayerInfo, position: Position) -> None:
    """Let a layer that holds nothing hold the space, so that others find it before its first event.

    Raises:
        LayerError: The layer failed.
    """
    if takes.space_uid is None and takes.origins != frozenset():
        position.add((await layer.write(())).vector)
    position.held()


async def push(
    replica: Replica, layer: Layer, takes: LayerInfo, position: Position, told: Told
) -> None:
    """Write what the layer lacks, until it lacks nothing.

    Raises:
        LayerError: The layer failed.
        ForkError: It has other records for the same places.
        ProtocolError: It does not have what it took, or wants what it said that it had.
    """
    while behind(vector := await _vector(replica), position.settled(vector)):
        before = dict(position.vector)
        wanted = await _push_once(replica, layer, takes, position, told)
        if wanted is not None:
            position.set(wanted)
        if wanted == before:
            raise ProtocolError(layer.layer_id, "it wants what it said that it has")


async def _push_once(
    replica: Replica, layer: Layer, takes: LayerInfo, position: Position, told: Told
) -> Vector | None:
    """Write one pass; return what the layer wants instead, if it lacks what was before that."""
    async with closing(replica.read(position.unmeant(await _vector(replica)), PAGE)) as pages:
        async for page in pages:
            # what came from the layer meanwhile is there
            meant = position.meant(advanced({}, page))
            lacking = [
                r
                for r in page
                if r.origin in meant and r.origin_seq > position.vector.get(r.origin, 0)
            ]
            for batch in batches(_not_held(lacking, position.held_there), takes):
                try:
                    written = await layer.write(batch)
                except GapError as gap:
                    return gap.wanted
                position.add(written.vector)
                _hold(batch, written.refused, written.vector, position, position.held_there)
                if behind(advanced({}, batch), joined(written.vector, position.held_there)):
                    raise ProtocolError(layer.layer_id, "it took records, and does not have them")
                kept = len(batch) - written.duplicates - len(written.refused)
                told(kept, len(written.refused))
    return None


async def _vector(replica: Replica) -> Vector:
    return (await replica.info()).vector


async def pull(layer: Layer, replica: Replica, position: Position, told: Told) -> None:
    """Take in what the replica lacks of what the layer has.

    Raises:
        LayerError: The layer failed.
        ForkError: It has other records for the same places.
    """
    wanted: Vector | None = (await replica.info()).vector
    while wanted is not None:
        since, wanted = wanted, None
        async with closing(layer.read(since, PAGE)) as pages:
            async for page in pages:
                position.add(advanced({}, page))
                try:
                    await take(replica, page, position, told)
                except GapError as gap:
                    if gap.wanted == since:
                        raise ProtocolError(layer.layer_id, "its records have a gap") from gap
                    wanted = gap.wanted
                    break


async def listen(
    layer: TwoWayLayer, replica: Replica, position: Position, told: Told
) -> AsyncIterator[Incoming]:
    """Take in what others write to the layer, and yield every sign of it; ends with the layer."""
    since = (await replica.info()).vector
    async with closing(layer.changes(since)) as changes:
        async for incoming in changes:
            if incoming.records:
                position.add(advanced({}, incoming.records))
                await take(replica, incoming.records, position, told)
            yield incoming


async def take(
    replica: Replica, records: Sequence[EventRecord], position: Position, told: Told
) -> None:
    """Take records of a layer into the replica; what follows a refused one waits."""
    records = _not_held(records, position.held_here)
    if records:
        result = await replica.ingest(records, gives_way=True)
        _hold(records, result.rejected, result.vector, position, position.held_here)
        told(result.accepted, len(result.rejected))


def _not_held(records: Sequence[EventRecord], held: dict[bytes, int]) -> list[EventRecord]:
    """Leave out the records of origins that are held up, and remember up to where."""
    for record in records:
        if record.origin in held:
            held[record.origin] = max(held[record.origin], record.origin_seq)
    return [record for record in records if record.origin not in held]


def _hold(
    records: Sequence[EventRecord],
    refused: Sequence[Refused],
    vector: Vector,
    position: Position,
    held: dict[bytes, int],
) -> None:
    """Hold up origins of which a record was refused and not counted as there."""
    uids = {each.uid for each in refused}
    position.refused |= uids
    stopped = {
        r.origin for r in records if r.uid in uids and r.origin_seq > vector.get(r.origin, 0)
    }
    for record in records:
        if record.origin in stopped:
            held[record.origin] = max(held.get(record.origin, 0), record.origin_seq)


def batches(records: Sequence[EventRecord], takes: LayerInfo) -> Iterator[list[EventRecord]]:
    """Cut records into what a layer takes at once."""
    batch: list[EventRecord] = []
    size = 0
    for record in records:
        more = size_of(record)
        if batch and (len(batch) >= takes.max_records or size + more > takes.max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += more
    if batch:
        yield batch


@asynccontextmanager
async def closing(iterator: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Lend an iterator, and end it whatever happens: it may hold a connection."""
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
