"""A layer that is a folder: a backup, an export, or what a tool keeps the same on several devices.

It needs no server. Whatever syncs folders may sync it, as no file in it is ever changed by anybody
but the one who made it, and nothing relies on files to come whole or in order.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ramax.core.sealed import SealedSet
from ramax.core.sync.record import EventRecord, is_whole
from ramax.core.sync.vector import Vector, advanced, missing
from ramax.errors import DataError, LayerError, LayerUnavailableError, ProtocolError
from ramax.storage.cancellation import to_its_end
from ramax.sync.directory import Directory
from ramax.sync.layer import Incoming, LayerInfo, SpaceRef, Written

T = TypeVar("T")


class DirectoryLayer:
    """One space in one folder."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        layer_id: str | None = None,
        two_way: bool = True,
        poll_interval: float = 2.0,
        segment_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        """Name the folder; it is made by the first write.

        Args:
            layer_id: By default the path.
            two_way: Off for a backup, which nobody else writes into.
            poll_interval: Seconds between two looks at what others wrote.
            segment_bytes: When a file has so many, the next one is begun.
        """
        self._path = Path(path)
        self.layer_id = layer_id or f"dir:{self._path}"
        self.two_way = two_way
        self._poll_interval, self._segment_bytes = poll_interval, segment_bytes
        self._directory: Directory | None = None
        self._ref = SpaceRef("")
        self._turn = asyncio.Lock()

    async def open(self, ref: SpaceRef) -> LayerInfo:
        """Look at what is there; a folder that does not exist holds nothing yet."""
        await self.aclose()
        directory = Directory(self._path, self._segment_bytes, ref.space_uid)
        await self._run(lambda: directory.refresh(ref.name))
        self._directory, self._ref = directory, ref
        return LayerInfo(directory.space_uid if directory.held else None, None)

    async def vector(self) -> Vector:
        """Return how far the folder is, by origin."""
        directory = self._opened()
        return await self._run(lambda: self._looked(directory))

    async def read(self, since: Vector, limit: int = 500) -> AsyncGenerator[Sequence[EventRecord]]:
        """Yield all records beyond ``since`` in pages."""
        directory = self._opened()
        known = await self._run(lambda: self._looked(directory))
        for origin, (start, upto) in missing(known, since).items():
            after = start
            while after < upto:
                page = await self._run(_page(directory, origin, after, upto, limit))
                after = page[-1].origin_seq
                yield page

    async def write(self, records: Sequence[EventRecord]) -> Written:
        """Take records; they are on the disk when this returns."""
        directory, ref = self._opened(), self._ref
        if not all(map(is_whole, records)):
            raise ProtocolError(self.layer_id, "a record has the digest of another one")

        def work() -> Written:
            directory.claim()
            duplicates = directory.add(ref.name, records)
            return Written(directory.vector, duplicates)

        return await self._run(work)

    async def changes(self, since: Vector) -> AsyncGenerator[Incoming]:
        """Yield what is beyond ``since``, then what others put there; it looks now and then."""
        known, sealed, caught_up = dict(since), await self.load_secrets(), False
        while True:
            async for page in self.read(known):
                known = advanced(known, page)
                caught_up = False
                yield Incoming(tuple(page))
            before, sealed = sealed, await self.load_secrets()
            if not caught_up or sealed != before:
                caught_up = True
                yield Incoming(caught_up=True, secrets_changed=sealed != before)
            await asyncio.sleep(self._poll_interval)

    async def load_secrets(self) -> SealedSet:
        """Return sealed secrets and wrapped keys; files that are half there are left out."""
        return await self._run(self._opened().sealed.read)

    async def save_secrets(self, sealed: SealedSet) -> None:
        """Take what wins over what is there, per name."""
        directory = self._opened()
        await self._run(lambda: directory.sealed.add(sealed))

    async def aclose(self) -> None:
        """Let go of the files; again is no error."""
        directory, self._directory = self._directory, None
        if directory is not None:
            await self._run(directory.close)

    def _looked(self, directory: Directory) -> Vector:
        directory.refresh(self._ref.name)
        return directory.vector

    def _opened(self) -> Directory:
        if self._directory is None:
            raise LayerError(self.layer_id, "it is not open")
        return self._directory

    async def _run(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread, one at a time."""
        async with self._turn:
            try:
                return await to_its_end(asyncio.to_thread(work))
            except OSError as error:
                raise LayerUnavailableError(self.layer_id, str(error)) from error
            except DataError as error:
                raise ProtocolError(self.layer_id, str(error)) from error


def _page(
    directory: Directory, origin: bytes, after: int, upto: int, limit: int
) -> Callable[[], list[EventRecord]]:
    return lambda: directory.page(origin, after, upto, limit)
