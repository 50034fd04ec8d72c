"""A layer that is a space of another ramax database: a server's, or another file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from ramax.core.sealed import SealedSet
from ramax.core.sync.record import EventRecord, is_whole
from ramax.core.sync.vector import Vector, advanced
from ramax.errors import (
    DataError,
    LayerError,
    LayerUnavailableError,
    ProtocolError,
    SpaceNotFoundError,
    StorageError,
)
from ramax.runtime.core import Core
from ramax.runtime.database import Database
from ramax.runtime.spaces import SpaceRegistry
from ramax.storage.replicas import read_names
from ramax.sync.layer import Incoming, LayerInfo, SpaceRef, Written
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretExchange
from ramax.sync.transfer import closing
from ramax.values import Space

_LOOK = 5.0
"""Seconds between two looks whether secrets have changed there."""


class SqlLayer:
    """One space of a database that is opened for it, or lent."""

    def __init__(
        self,
        database: Database | Callable[[], Awaitable[Database]],
        core_of: Callable[[Database], Core],
        secrets_of: Callable[[Core, Space], SecretExchange],
        *,
        layer_id: str,
        space: str | None,
        two_way: bool,
    ) -> None:
        self.layer_id, self.two_way = layer_id, two_way
        self._given, self._core_of, self._secrets_of = database, core_of, secrets_of
        self._name = space
        self._database: Database | None = None
        self._replica: Replica | None = None
        self._space: Space | None = None
        self._ref = SpaceRef("")

    async def open(self, ref: SpaceRef) -> LayerInfo:
        """Open the database and see whether it has the space."""
        await self.aclose()
        async with self._failures():
            if isinstance(self._given, Database):
                self._database = self._given
            else:
                self._database = await self._given()
            self._ref = SpaceRef(self._name or ref.name, ref.space_uid)
            info = await self._find()
        if info.space_uid and ref.space_uid and info.space_uid != ref.space_uid:
            raise LayerError(self.layer_id, "it holds another space of that name")
        return info

    async def _find(self) -> LayerInfo:
        core = self._core()
        space = await core.find_by_name(self._ref.name)
        if space is None or not space.space_id:
            await self._check_not_renamed(core)
            return LayerInfo(None, None)
        replica = Replica(core, space)
        if not await replica.enabled():
            stats = await SpaceRegistry(core).stats(space)
            if stats.event_count:
                raise LayerError(
                    self.layer_id, f"its space {space.space_name!r} is no replica of anything"
                )
            return LayerInfo(None, None)
        self._space, self._replica = space, replica
        found = await replica.info()
        return LayerInfo(found.space_uid, found.epoch)

    async def _check_not_renamed(self, core: Core) -> None:
        """Refuse to make a second copy of a space that has another name there."""
        uid = self._ref.space_uid
        if self._name is None and uid is not None:
            names = await core.read(lambda ex: read_names(ex, uid))
            if names:
                raise LayerError(
                    self.layer_id,
                    f"space {self._ref.name!r} is called {names[0]!r} there; rename one of them, "
                    f"or name it: SqlLayer(…, space={names[0]!r})",
                )

    async def vector(self) -> Vector:
        """Return how far it is, by origin."""
        async with self._failures():
            return {} if self._replica is None else (await self._replica.info()).vector

    async def read(self, since: Vector, limit: int = 500) -> AsyncGenerator[Sequence[EventRecord]]:
        """Yield all records beyond ``since`` in pages."""
        if self._replica is None:
            return
        async with self._failures(), closing(self._replica.read(since, limit)) as pages:
            async for page in pages:
                yield page

    async def write(self, records: Sequence[EventRecord]) -> Written:
        """Take records; the space is made by the first that come."""
        if not all(map(is_whole, records)):
            raise ProtocolError(self.layer_id, "a record has the digest of another one")
        async with self._failures():
            replica = self._replica or await self._make()
            result = await replica.ingest(records)
        return Written(result.vector, result.duplicates, result.rejected)

    async def _make(self) -> Replica:
        core = self._core()
        space = await core.opened(self._ref.name)
        replica = Replica(core, space)
        await replica.enable(space_uid=self._ref.space_uid)
        self._space, self._replica = space, replica
        return replica

    async def changes(self, since: Vector) -> AsyncGenerator[Incoming]:
        """Yield what is beyond ``since``, then what comes."""
        known, sealed, caught_up = dict(since), await self.load_secrets(), False
        while True:
            async with closing(self.read(known)) as pages:
                async for page in pages:
                    known, caught_up = advanced(known, page), False
                    yield Incoming(tuple(page))
            before, sealed = sealed, await self.load_secrets()
            if not caught_up or sealed != before:
                caught_up = True
                yield Incoming(caught_up=True, secrets_changed=sealed != before)
            await self._more(known)

    async def _more(self, known: Vector) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK), self._failures():
                if self._replica is None:
                    await asyncio.sleep(1)
                    await self._find()
                else:
                    await self._replica.changed(known)

    async def load_secrets(self) -> SealedSet:
        """Return sealed secrets and wrapped keys."""
        if self._space is None:
            return SealedSet()
        async with self._failures():
            return await self._secrets_of(self._core(), self._space).export()

    async def save_secrets(self, sealed: SealedSet) -> None:
        """Take what wins over what is there, per name."""
        async with self._failures():
            if self._space is None:
                await self._make()
            assert self._space is not None
            await self._secrets_of(self._core(), self._space).merge(sealed)

    async def aclose(self) -> None:
        """Close the database, unless it was lent; again is no error."""
        database, self._database = self._database, None
        self._replica = self._space = None
        if database is not None and database is not self._given:
            await database.close()

    def _core(self) -> Core:
        if self._database is None:
            raise LayerError(self.layer_id, "it is not open")
        return self._core_of(self._database)

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Raise what the database raises as the layer's own."""
        try:
            yield
        except SpaceNotFoundError as error:
            raise LayerUnavailableError(self.layer_id, "the space was deleted there") from error
        except (StorageError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise LayerUnavailableError(self.layer_id, str(error)) from error
        except DataError as error:
            raise ProtocolError(self.layer_id, str(error)) from error
