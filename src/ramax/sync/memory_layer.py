"""A layer in memory, with knobs for what goes wrong with real ones: delays, failures, lost answers.

It is for tests, yours as well, and keeps nothing when the process ends.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from ramax.core.sealed import ID_BYTES, SealedSet, merged
from ramax.core.sync.accepting import accept
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector, advanced, missing
from ramax.core.sync.wire import pack_records, unpack_records
from ramax.errors import DataError, LayerError, LayerUnavailableError, ProtocolError
from ramax.sync.layer import Incoming, LayerInfo, SpaceRef, Written


class MemoryPlace:
    """What layers of several replicas have in common: one copy of one space."""

    def __init__(self) -> None:
        self.space_uid: bytes | None = None
        self.epoch = secrets.token_bytes(ID_BYTES)
        self.records: dict[bytes, list[EventRecord]] = {}
        self.sealed = SealedSet()
        self.writes = 0
        """How many calls of `Layer.write` came through."""
        self._moved = asyncio.Event()

    @property
    def vector(self) -> dict[bytes, int]:
        """How far it is, by origin."""
        return {origin: len(found) for origin, found in self.records.items()}

    def add(self, space: str, records: Sequence[EventRecord]) -> int:
        """Take records, and return how many were there already."""
        new, duplicates = accept(
            space, records, self.vector, lambda origin, seq: self.records[origin][seq - 1].digest
        )
        for record in new:
            self.records.setdefault(record.origin, []).append(record)
        if new:
            self.ring()
        return duplicates

    def reset(self, keep: Vector | None = None) -> None:
        """Lose everything beyond ``keep``, as a server that was restored from an old backup."""
        kept = keep or {}
        self.records = {
            origin: self.records[origin][:seq] for origin, seq in kept.items() if seq > 0
        }
        self.epoch = secrets.token_bytes(ID_BYTES)
        self.ring()

    def ring(self) -> None:
        """Wake whoever waits for `moved`."""
        self._moved.set()
        self._moved = asyncio.Event()

    def moved(self) -> asyncio.Event:
        """Return what is set by the next change."""
        return self._moved


@dataclass
class Faults:
    """What a layer does wrong; change it while it runs."""

    delay: float = 0.0
    """Seconds before each answer."""

    errors: list[Exception] = field(default_factory=list)
    """The next calls raise these, one each."""

    lose_answers: int = 0
    """So many writes come through, but their answer does not."""

    deliver_twice: bool = False
    """Every page of `MemoryLayer.read` and of the changes comes twice."""


class MemoryLayer:
    """One replica's way to a `MemoryPlace`."""

    def __init__(
        self,
        place: MemoryPlace | None = None,
        *,
        layer_id: str = "memory",
        two_way: bool = True,
        max_records: int = 500,
    ) -> None:
        self.layer_id, self.two_way = layer_id, two_way
        self.place = place or MemoryPlace()
        self.faults = Faults()
        self.max_records = max_records
        self.opened = 0
        """How often it was opened, less how often it was closed after that."""
        self._ref: SpaceRef | None = None
        self._cut = False

    def cut(self) -> None:
        """Cut the connection: every call fails, and whoever listens hears so at once."""
        self._cut = True
        self.place.ring()

    def mend(self) -> None:
        """Let it be reached again."""
        self._cut = False

    async def open(self, ref: SpaceRef) -> LayerInfo:
        """Connect, and say what is there."""
        await self._answer()
        there = self.place.space_uid
        if there and ref.space_uid and there != ref.space_uid:
            raise LayerError(self.layer_id, "it holds another space")
        self.opened += self._ref is None
        self._ref = ref
        return LayerInfo(there, self.place.epoch, self.max_records)

    async def vector(self) -> Vector:
        """Return how far the place is, by origin."""
        await self._answer()
        return self.place.vector

    async def read(self, since: Vector, limit: int = 500) -> AsyncGenerator[Sequence[EventRecord]]:
        """Yield all records beyond ``since`` in pages."""
        await self._answer()
        for origin, (after, upto) in missing(self.place.vector, since).items():
            for first in range(after, upto, limit):
                self._check_connected()
                page = self.place.records[origin][first : min(first + limit, upto)]
                for _ in range(1 + self.faults.deliver_twice):
                    yield page

    async def write(self, records: Sequence[EventRecord]) -> Written:
        """Take records; what is there already is a duplicate and no error."""
        await self._answer()
        space = self._opened()
        if len(records) > self.max_records:
            raise ProtocolError(self.layer_id, f"takes at most {self.max_records} records at once")
        try:
            came = unpack_records(pack_records(records))
        except DataError as error:
            raise ProtocolError(self.layer_id, str(error)) from error
        duplicates = self.place.add(space.name, came)
        self.place.space_uid = self.place.space_uid or space.space_uid
        self.place.writes += 1
        if self.faults.lose_answers:
            self.faults.lose_answers -= 1
            raise LayerUnavailableError(self.layer_id, "the connection broke before the answer")
        return Written(self.place.vector, duplicates)

    async def changes(self, since: Vector) -> AsyncGenerator[Incoming]:
        """Yield what is beyond ``since``, then what comes; raises when it is cut."""
        await self._answer()
        known, sealed, caught_up = dict(since), self.place.sealed, False
        while True:
            moved = self.place.moved()
            async for page in self.read(known, self.max_records):
                known = advanced(known, page)
                caught_up = False
                yield Incoming(tuple(page))
            if self.place.sealed != sealed or not caught_up:
                changed, sealed, caught_up = self.place.sealed != sealed, self.place.sealed, True
                yield Incoming(caught_up=True, secrets_changed=changed)
            await moved.wait()
            self._check_connected()

    async def load_secrets(self) -> SealedSet:
        """Return sealed secrets and wrapped keys."""
        await self._answer()
        return self.place.sealed

    async def save_secrets(self, sealed: SealedSet) -> None:
        """Take what wins over what is there, per name."""
        await self._answer()
        before, self.place.sealed = self.place.sealed, merged(self.place.sealed, sealed)
        if self.place.sealed != before:
            self.place.ring()

    async def aclose(self) -> None:
        """Let go of it; again is no error."""
        self.opened -= self._ref is not None
        self._ref = None

    def _opened(self) -> SpaceRef:
        if self._ref is None:
            raise LayerError(self.layer_id, "it is not open")
        return self._ref

    async def _answer(self) -> None:
        if self.faults.delay:
            await asyncio.sleep(self.faults.delay)
        self._check_connected()
        if self.faults.errors:
            raise self.faults.errors.pop(0)

    def _check_connected(self) -> None:
        if self._cut:
            raise LayerUnavailableError(self.layer_id, "the connection is cut")
