"""A space as it was: the read model and the events at a point of its history."""

import asyncio
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Self

from ramax.core.decoding import Decoding
from ramax.core.domain import Domain
from ramax.core.limits import check_sequence
from ramax.core.query import Query
from ramax.core.state import Packed
from ramax.errors import ClosedError, EventNotFoundError, MisuseError, StorageBusyError
from ramax.runtime.commands import NO_DOMAIN
from ramax.runtime.core import Core
from ramax.runtime.event_reads import EventReads, todays
from ramax.runtime.past_fold import PastFold
from ramax.runtime.point import Point, check_point, locate
from ramax.runtime.snapshot_writing import save
from ramax.runtime.state_view import StateView, check_prefix
from ramax.storage.events import FOREVER, read_event_of
from ramax.storage.snapshots import Fold
from ramax.storage.spill import Spill
from ramax.values import Event, Space, from_micros

logger = logging.getLogger("ramax.snapshots")


class Past:
    """A space after one of its events; read-only, and never changing.

    Use it at once, ``await`` it to have the point checked and `sequence` known, or use it in
    ``async with``, which closes it. The read model is folded when it is first read, and kept, in
    memory up to ``rebuild_memory`` of `connect` and beyond that in a temporary file.
    """

    def __init__(self, core: Core, space: Space, domain: Domain | None, at: Any) -> None:
        check_point(at)
        self.core, self.space, self.domain = core, space, domain
        self.pstate = PastPState(self)
        self.events = PastEvents(self)
        self._at = at
        self._domain = domain or NO_DOMAIN
        self._point: Point | None = None
        self._turn = asyncio.Lock()
        self._values = Spill(core.options.rebuild_memory)
        self._fold: PastFold | None = None
        self._close = weakref.finalize(self, self._values.close)

    @property
    def sequence(self) -> int:
        """The last event that counts; 0 is before the first.

        Raises:
            MisuseError: The view was neither awaited nor read yet.
        """
        return self._known().sequence

    @property
    def timestamp(self) -> datetime | None:
        """When that event was recorded; None before the first."""
        micros = self._known().micros
        return None if micros is None else from_micros(micros)

    def _known(self) -> Point:
        if self._point is None:
            raise MisuseError("await the view first: past = await store.as_of(…)")
        return self._point

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        await self.point()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Free memory and temporary files; happens by itself when nobody holds the view."""
        async with self._turn:
            self._close()

    def __repr__(self) -> str:
        return f"<Past {self.space.space_name!r} as of {self._at!s}>"

    # -- for its parts ---------------------------------------------------------------------------

    async def point(self) -> Point:
        """Return which point this is.

        Raises:
            DataError: It lies beyond the newest event, or in the future.
            SpaceNotFoundError: The space was deleted.
        """
        if self._point is None:
            space = await self.core.resolve(self.space)
            now = self.core.clock()
            self._point = await self.core.read(
                lambda ex: locate(ex, space, self._at, now, self._whose)
            )
        return self._point

    async def folded(self) -> PastFold:
        """Return the read model, folded up to the point."""
        self.core.check_caller()
        sequence = (await self.point()).sequence
        async with self._turn:
            self.check_open()
            fold = self._fold or await self._begin(sequence)
            while fold.sequence < sequence:
                stop = min(sequence, self._next_snapshot(fold.sequence))
                while await self.core.read_whole(lambda ex, s=stop: fold.fold_page(ex, s)):  # type: ignore[misc]
                    pass
                if stop == self._next_snapshot(stop - 1):
                    await self._leave_snapshot(fold)
        return fold

    async def _begin(self, sequence: int) -> PastFold:
        space = await self.core.resolve(self.space)
        fold = PastFold(self._domain, space, self.core.options.page, self._values)
        if space.space_id:
            await self.core.read(fold.begin)
            await self._restore(fold, sequence)
        self._fold = fold
        return fold

    async def _restore(self, fold: PastFold, sequence: int) -> None:
        """Take the newest snapshot, whole; one that is dropped meanwhile is none."""
        self._values.close()  # of a try that was cancelled
        found = await self.core.read(lambda ex: fold.find_snapshot(ex, sequence))
        if found is None:
            return
        for chunk in range(found.chunk_count):
            if not await self.core.read_whole(lambda ex, c=chunk: fold.load_chunk(ex, found, c)):  # type: ignore[misc]
                self._values.close()
                return
        fold.go_on_from(found)

    def _next_snapshot(self, after: int) -> int:
        """Return the next sequence at which a snapshot is left."""
        every = self._domain.snapshot_every
        if every is None or self.core.options.read_only:
            return FOREVER
        return after - after % every + every

    async def _leave_snapshot(self, fold: PastFold) -> None:
        try:
            await save(self.core, fold, self._domain)
        except StorageBusyError as error:  # it would only have saved time
            logger.warning("no snapshot of space %r: %s", self.space.space_name, error)

    @property
    def _whose(self) -> Fold | None:
        versions = self._domain.fold_versions
        return Fold.of(versions) if versions else None

    def check_open(self) -> None:
        """Raise ClosedError if the view was closed."""
        if not self._close.alive:
            raise ClosedError("the view is closed; call as_of again")


class PastPState(StateView):
    """The read model at that point. Every value handed out is the caller's own.

    It is the fold of the events, so keys that ``put`` wrote are not in it.
    """

    def __init__(self, past: Past) -> None:
        super().__init__(Decoding(past.domain))
        self._past = past

    def _name(self) -> str:
        return self._past.space.space_name

    async def _load(self, keys: Sequence[str]) -> Mapping[str, Packed | None]:
        fold = await self._past.folded()
        return {key: fold.load(key) for key in keys}

    async def scan(
        self, prefix: str = "", *, limit: int | None = None, after: str = ""
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield (key, value) in key order for keys that begin with ``prefix``.

        Args:
            limit: At most so many; no limit by default.
            after: Only keys above this one.
        """
        check_prefix(prefix)
        check_prefix(after)
        left = FOREVER if limit is None else limit
        check_sequence(left, "limit")
        fold = await self._past.folded()
        for key, packed in fold.scan(prefix, after):
            if left == 0:
                return
            yield key, self._decoding.value(key, packed)
            self._past.check_open()
            left -= 1

    async def count(self, prefix: str = "") -> int:
        """Count the keys that begin with ``prefix``."""
        check_prefix(prefix)
        fold = await self._past.folded()
        return sum(1 for _ in fold.scan(prefix, ""))


class PastEvents:
    """The log up to that point; later events are not found."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._log = EventReads(past.core, past.domain)

    async def get_event(self, event_id: int) -> Event:
        """Return an event of this space.

        Raises:
            EventNotFoundError: There was none of that id in this space.
        """
        point = await self._past.point()
        check_sequence(event_id, "event id")
        core = self._past.core
        space = await core.resolve(self._past.space)
        found = await core.read(lambda ex: read_event_of(ex, space.space_id, event_id))
        if found is None or found.space_sequence > point.sequence:
            raise EventNotFoundError(event_id)
        return todays(found, self._past.domain, space)

    async def get_events(self, entity_id: str, **options: Any) -> list[Event]:
        """See `EventReads.get_events`."""
        options["to_sequence"] = await self._bound(options.get("to_sequence"))
        return await self._log.get_events(self._past.space, entity_id, **options)

    async def stream(self, query: Query | None = None, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.stream`."""
        options["to_sequence"] = await self._bound(options.get("to_sequence"))
        async with aclosing(self._log.stream(self._past.space, query, **options)) as stream:
            async for event in stream:
                yield event

    async def stream_space_events(self, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.stream_space_events`."""
        options["to_sequence"] = await self._bound(options.get("to_sequence"))
        async with aclosing(self._log.stream_space_events(self._past.space, **options)) as stream:
            async for event in stream:
                yield event

    async def stream_entity_events(self, entity_id: str, **options: Any) -> AsyncGenerator[Event]:
        """See `EventReads.stream_entity_events`."""
        options["to_sequence"] = await self._bound(options.get("to_sequence"))
        stream = self._log.stream_entity_events(self._past.space, entity_id, **options)
        async with aclosing(stream):
            async for event in stream:
                yield event

    async def get_space_latest_sequence(self) -> int:
        """Return the sequence of the point."""
        return (await self._past.point()).sequence

    async def _bound(self, to_sequence: int | None) -> int:
        last = (await self._past.point()).sequence
        if to_sequence is None:
            return last
        check_sequence(to_sequence, "to_sequence")
        return min(to_sequence, last)
