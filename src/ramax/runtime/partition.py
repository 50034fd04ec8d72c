"""The part of a space that one data type keeps: running its commands, reading its keys."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypedDict, Unpack

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import Command
from ramax.core.keys import key_range
from ramax.core.query import Search
from ramax.core.state import Packed, unpack
from ramax.runtime.core import Core
from ramax.storage.events import FOREVER, stored_events
from ramax.storage.executors import Row
from ramax.values import Commit, Event

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """Stored keys with low <= key < high and above ``after``, at most ``limit`` of them.

    ``down``: from the highest on, in falling order.
    """

    low: str
    high: str
    after: str = ""
    limit: int = PAGE
    down: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Events with after < sequence <= upto, at most ``limit`` of them; newest first if ``down``."""

    after: int = 0
    upto: int = FOREVER
    limit: int = PAGE
    down: bool = False


class WriteOptions(TypedDict, total=False):
    """What every write of a data type may say; the meanings are those of `ContentStore.execute`."""

    expected_sequence: int | None
    idempotency_key: str | None
    causation_id: int | None
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """A command of a data type, and what an idempotency key with it stands for."""

    command: Command
    params: Any
    asked: Any


class Access(Protocol):
    """How a data type reaches its part of a space: through a store, in a transaction, in the past.

    Keys are stored ones, with the data type's prefix. A space that does not exist yet is empty.
    """

    async def memory(self) -> tuple[Core, int] | None:
        """Return the open database and the id of the space: what is read may be remembered.

        None where it may not, as in a transaction that may be rolled back.
        """
        ...

    async def locate(self, at: int | datetime) -> int:
        """Return the sequence of the newest event up to a point of the space's history."""
        ...

    async def is_replicated(self) -> bool:
        """Say whether times may fall along the log: it is a replica's, or a fork's of one."""
        ...

    async def in_order(self, entity_id: str, upto: int) -> Sequence[int] | None:
        """Read the ids of the events of an entity with sequence <= upto, in the order of the fold.

        None where that is the order of the log.
        """
        ...

    async def execute(self, datatype: DataType, write: Write, options: WriteOptions) -> Commit:
        """Run a command of a data type."""
        ...

    async def packed(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        """Read stored values as of one moment; None for a key that is not there."""
        ...

    async def page(self, wanted: Range) -> Sequence[tuple[str, Packed]]:
        """Read a page of keys, as of one moment."""
        ...

    async def count(self, prefix: str) -> int:
        """Count the keys that begin with ``prefix``."""
        ...

    async def matches(self, search: Search, wanted: Window) -> Sequence[Row]:
        """Read a page of the events that are searched for."""
        ...


@dataclass(frozen=True, slots=True)
class Partition:
    """What one data type keeps in one space; keys are those that its rules use."""

    access: Access
    datatype: DataType

    async def execute(
        self, command: Command, params: Any, asked: Any = None, **options: Unpack[WriteOptions]
    ) -> Commit:
        """Run one of the data type's commands.

        Args:
            asked: What the caller asked for, where ``params`` hold what cannot be stored.
        """
        # a name that stays when the code moves: repeats are told by it
        name = f"{self.datatype.name}.{getattr(command, '__name__', '')}"
        write = Write(command, params, [name, params if asked is None else asked])
        return await self.access.execute(self.datatype, write, options)

    async def get(self, key: str) -> Any:
        """Return the value of a key; None if it is not there."""
        stored = self.datatype.prefix + key
        packed = (await self.access.packed([stored]))[stored]
        return None if packed is None else unpack(packed)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that are there, as of one moment, in that order."""
        prefix = self.datatype.prefix
        stored = {prefix + key: key for key in keys}
        found = await self.access.packed(list(stored))
        return {
            key: unpack(packed) for at, key in stored.items() if (packed := found[at]) is not None
        }

    def scan(
        self,
        low: str,
        high: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        down: bool = False,
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield (key, value) for low <= key < high, above ``after``, in order or in falling order.

        A page at a time, so that no connection is held while the caller works.
        """
        prefix = self.datatype.prefix
        above = "" if after is None else prefix + after
        return self._walk(prefix + low, prefix + high, above, limit, down=down)

    def under(
        self, prefix: str, *, limit: int | None = None, after: str | None = None, down: bool = False
    ) -> AsyncIterator[tuple[str, Any]]:
        """As `scan`, for the keys that begin with ``prefix``."""
        low, high = key_range(self.datatype.prefix + prefix)
        above = "" if after is None else self.datatype.prefix + after
        return self._walk(low, high, above, limit, down=down)

    async def _walk(
        self, low: str, high: str, above: str, limit: int | None, *, down: bool
    ) -> AsyncIterator[tuple[str, Any]]:
        cut = len(self.datatype.prefix)
        async with aclosing(self._pages(low, high, above, limit, down=down)) as pages:
            async for page in pages:
                for key, packed in page:
                    yield key[cut:], unpack(packed)

    async def keys(
        self, prefix: str, *, within: str = "", limit: int | None = None, after: str | None = None
    ) -> list[str]:
        """Return the keys that begin with a prefix, in order; decodes no value.

        Args:
            within: What all keys of the kind begin with, and the answer and ``after`` lack.
        """
        kind = self.datatype.prefix + within
        low, high = key_range(kind + prefix)
        above = "" if after is None else kind + after
        cut = len(kind)
        found: list[str] = []
        async for page in self._pages(low, high, above, limit, down=False):
            found += [key[cut:] for key, _ in page]
        return found

    async def _pages(
        self, low: str, high: str, above: str, limit: int | None, *, down: bool
    ) -> AsyncGenerator[Sequence[tuple[str, Packed]]]:
        left = FOREVER if limit is None else limit
        while left > 0:
            size = min(left, PAGE)
            page = await self.access.page(Range(low, high, above, size, down))
            yield page
            if len(page) < size:
                return
            left -= size
            if down:
                high = page[-1][0]
            else:
                above = page[-1][0]

    async def count(self, prefix: str) -> int:
        """Count the keys that begin with ``prefix``."""
        return await self.access.count(self.datatype.prefix + prefix)

    async def history(
        self, name: str, *, limit: int | None = None, before: int = FOREVER
    ) -> list[Event]:
        """Return the events about something of this type, the newest first.

        In a replicated space the newest is the one that is folded last, not the one that came last.

        Args:
            before: Only events with a sequence below it.
        """
        search, own = Search(entity_id=self.datatype.id_of(name)), self.datatype.type("")
        left, upto = FOREVER if limit is None else limit, before - 1
        placed = await self.access.in_order(self.datatype.id_of(name), upto)
        most = left if placed is None else FOREVER
        found: list[Event] = []
        while len(found) < most:
            window = Window(upto=upto, limit=min(most, PAGE), down=True)
            page = await self.access.matches(search, window)
            # anybody may write events of another type about an entity of this name
            found += [e for e in stored_events(page) if e.event_type.startswith(own)]
            if len(page) < window.limit:
                break
            upto = page[-1][2] - 1
        if placed is not None:
            rank = {event_id: n for n, event_id in enumerate(placed)}
            found = sorted(
                (e for e in found if e.event_id in rank), key=lambda e: -rank[e.event_id]
            )
        return found[:left]

    async def events(self, search: Search, after: int = 0) -> AsyncGenerator[Event]:
        """Yield the events above a sequence that are searched for, in order."""
        while True:
            page = await self.access.matches(search, Window(after=after))
            for event in stored_events(page):
                yield event
            if len(page) < PAGE:
                return
            after = page[-1][2]
