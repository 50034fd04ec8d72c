"""``store.log``: typed entries, numbered 1, 2, 3 … and chained by hashes."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Mapping
from datetime import datetime
from typing import Any, Self, Unpack

from ramax.core.datatypes import log as rules
from ramax.core.datatypes.log import Head
from ramax.core.limits import MAX_NAME_BYTES, check_name, check_sequence
from ramax.datatypes.arguments import bound
from ramax.datatypes.log_entry import LogEntry, entry_of
from ramax.datatypes.log_verification import LogVerification, verify
from ramax.errors import DataError
from ramax.runtime.partition import Partition, WriteOptions
from ramax.storage.events import FOREVER
from ramax.values import Commit, to_micros

_LONGEST_TYPE = MAX_NAME_BYTES - len(rules.PREFIX)


class LogCommit(Commit):
    """A `Commit` that knows the sequences which the entries got in the log."""

    __slots__ = ()

    @property
    def sequences(self) -> tuple[int, ...]:
        """The sequence of each entry, same order."""
        return tuple((event.metadata or {})[rules.SEQUENCE] for event in self.events)

    @property
    def sequence(self) -> int | None:
        """The sequence of the last entry; None where there was nothing to append."""
        return self.sequences[-1] if self.events else None

    @classmethod
    def of(cls, commit: Commit) -> Self:
        """Make it of the commit that the writer gave."""
        return cls(lambda: commit.events, commit.space_sequence, commit.replayed)


class Log:
    """Entries of a space, each a type and a payload; never changed, never deleted.

    Sequences are dense and count entries only: what else happens in the space does not show. Every
    write takes the options of `ContentStore.execute`: ``expected_sequence`` (of the space), ….
    """

    def __init__(self, part: Partition) -> None:
        self._part = part

    async def append(
        self,
        type: str,  # noqa: A002 - what it is
        payload: Mapping[str, Any],
        **options: Unpack[WriteOptions],
    ) -> LogCommit:
        """Add an entry at the end; see `append_many`."""
        return await self.append_many([(type, payload)], **options)

    async def append_many(
        self, entries: Iterable[tuple[str, Mapping[str, Any]]], **options: Unpack[WriteOptions]
    ) -> LogCommit:
        """Add entries in order, all or none.

        Args:
            entries: Pairs of a type, 1 to 245 UTF-8 bytes, and a payload, a str-keyed map.

        Raises:
            DataError: A type breaks a rule. CodecError: A payload is no map, or cannot be stored.
        """
        found = list(entries) if isinstance(entries, Iterable) else [entries]
        for entry in found:
            if not isinstance(entry, (tuple, list)) or len(entry) != 2:  # noqa: PLR2004 - a pair
                raise DataError("log entries", entry, "give (type, payload) pairs")
            check_name(entry[0], "type of a log entry", _LONGEST_TYPE)
        return LogCommit.of(await self._part.execute(rules.append, found, **options))

    async def get(self, sequence: int) -> LogEntry | None:
        """Return an entry, or None if there is none of that sequence."""
        check_sequence(sequence, "sequence")
        found = [each async for each in self.range(sequence, sequence + 1)]
        return found[0] if found else None

    def range(
        self,
        start: int = 1,
        end: int | None = None,
        *,
        limit: int | None = None,
        reverse: bool = False,
        event_type: str | None = None,
    ) -> "LogRange":
        """Return the entries with start <= sequence < end: ``await`` it, or ``async for``.

        Args:
            limit: At most so many.
            reverse: The newest of the range first.
            event_type: Only entries of this type.
        """
        check_sequence(start, "start")
        bound(end, "end")
        bound(limit, "limit")
        return LogRange(self._entries(start, end, limit, event_type, reverse=reverse))

    def range_by_time(
        self,
        start: datetime,
        end: datetime | None = None,
        *,
        limit: int | None = None,
        reverse: bool = False,
        event_type: str | None = None,
    ) -> "LogRange":
        """Return the entries with start <= timestamp < end, by sequence; see `range`.

        Where others write the log as well, on clocks of their own, all of it is looked through.

        Raises:
            DataError: A time has no time zone.
        """
        for moment in (start,) if end is None else (start, end):
            if not isinstance(moment, datetime) or moment.utcoffset() is None:
                raise DataError("time", moment, "give a datetime with a time zone")
        bound(limit, "limit")
        return LogRange(self._between(start, end, limit, event_type, reverse=reverse))

    async def len(self, event_type: str | None = None) -> int:
        """Count the entries, or those of one type."""
        if event_type is None:
            return Head(*await self._part.get(rules.HEAD) or ()).sequence
        check_name(event_type, "type of a log entry", _LONGEST_TYPE)
        return await self._part.get(rules.COUNTS + event_type) or 0

    async def types(self) -> dict[str, int]:
        """Return the types of entries, in order, and how many there are of each."""
        cut = len(rules.COUNTS)
        return {key[cut:]: count async for key, count in self._part.under(rules.COUNTS)}

    async def verify(self, head: bytes | None = None) -> LogVerification:
        """Compute the hash of every entry anew, from what was recorded.

        Args:
            head: The hash of some entry that you kept elsewhere: it must occur in the chain. The
                chain alone shows damage, not a log that somebody rewrote as a whole.
        """
        newest = Head(*await self._part.get(rules.HEAD) or ())
        stored = self._entries(1, newest.sequence + 1, None, None, reverse=False)
        return await verify(self._part, newest, stored, head)

    async def _between(
        self,
        start: datetime,
        end: datetime | None,
        limit: int | None,
        event_type: str | None,
        *,
        reverse: bool,
    ) -> AsyncGenerator[LogEntry]:
        if await self._part.access.is_replicated():
            left, found = limit, self._entries(1, None, None, event_type, reverse=reverse)
            async for entry in found:
                if left == 0:
                    return
                if start <= entry.timestamp and (end is None or entry.timestamp < end):
                    left = None if left is None else left - 1
                    yield entry
            return
        first = await self._first_since(to_micros(start))
        last = None if end is None else await self._first_since(to_micros(end))
        async for entry in self._entries(first, last, limit, event_type, reverse=reverse):
            yield entry

    async def _first_since(self, micros: int) -> int:
        """Search the sequence of the first entry that is not earlier; times never fall."""
        low, high = 1, await self.len() + 1
        while low < high:
            middle = (low + high) // 2
            found = await self._part.get(rules.entry_key(middle))
            if found is not None and found[2] < micros:
                low = middle + 1
            else:
                high = middle
        return low

    async def _entries(
        self,
        start: int,
        end: int | None,
        limit: int | None,
        event_type: str | None,
        *,
        reverse: bool,
    ) -> AsyncGenerator[LogEntry]:
        if event_type is not None:
            check_name(event_type, "type of a log entry", _LONGEST_TYPE)
        low = rules.entry_key(max(start, 1))
        high = rules.entry_key(FOREVER if end is None else end)
        left = FOREVER if limit is None else limit
        # with a type, what is read is not what is given: so the limit is kept here
        most = limit if event_type is None else None
        async for key, row in self._part.scan(low, high, limit=most, down=reverse):
            if event_type is not None and row[0] != event_type:
                continue
            if left <= 0:
                return
            yield entry_of(int(key[len(rules.ENTRIES) :], 16), row)
            left -= 1


class LogRange:
    """Entries that were asked for: ``await`` it for a list, ``async for`` for one at a time."""

    def __init__(self, entries: AsyncGenerator[LogEntry]) -> None:
        self._entries = entries

    def __await__(self) -> Generator[Any, None, list[LogEntry]]:
        return self._all().__await__()

    async def _all(self) -> list[LogEntry]:
        return [entry async for entry in self._entries]

    def __aiter__(self) -> AsyncIterator[LogEntry]:
        return self._entries
