"""Whether a log is what was appended to it: its chain of hashes, against the events themselves."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from ramax.core.datatypes import log as rules
from ramax.core.datatypes.log import Head
from ramax.core.query import Search
from ramax.datatypes.log_entry import LogEntry, hash_of
from ramax.runtime.partition import Partition
from ramax.values import Event, to_micros


@dataclass(frozen=True, slots=True)
class LogVerification:
    """What a verification found; ``head`` is the hash of the newest entry, to keep elsewhere."""

    length: int
    valid: bool
    head: bytes
    first_invalid: int | None = None
    error: str | None = None


async def verify(
    part: Partition, newest: Head, stored: AsyncGenerator[LogEntry], head: bytes | None
) -> LogVerification:
    """Compute the hash of every entry anew, from what was recorded; see `Log.verify`.

    Args:
        stored: The entries up to and including the newest.
    """
    previous, anchored = rules.GENESIS, head in {None, rules.GENESIS}
    length = 0
    async with aclosing(part.events(Search(entity_id=rules.ENTITY))) as events:
        recorded: _Recorded = _InOrder(events)
        if await part.access.is_replicated():
            recorded = await _InAnyOrder.of(events)
        async for entry in stored:
            is_recorded = await recorded.has(entry)
            if not is_recorded or entry.hash != hash_of(entry, previous):
                error = f"entry {length + 1} is not what was appended"
                return _broken(length, previous, error)
            previous, length = entry.hash, length + 1
            anchored = anchored or previous == head
    if (length, previous) != newest:
        error = f"{newest.sequence} entries were appended, {length} are there"
        return _broken(length, previous, error)
    error_ = None if anchored else "no entry has the given hash"
    return LogVerification(length, anchored, previous, error=error_)


def _broken(length: int, head: bytes, error: str) -> LogVerification:
    return LogVerification(length, valid=False, head=head, first_invalid=length + 1, error=error)


class _Recorded(Protocol):
    """The events that made the entries."""

    async def has(self, entry: LogEntry) -> bool:
        """Say whether the entry is one that was recorded; each event makes one."""
        ...


class _InOrder:
    """Events in the order of the entries."""

    def __init__(self, events: AsyncGenerator[Event]) -> None:
        self._events = events

    async def has(self, entry: LogEntry) -> bool:
        event = await anext(self._events, None)
        return event is not None and _said(event) == _said_by(entry)


class _InAnyOrder:
    """Events of a replicated space, whose entries stand in the order of stamps; kept in memory."""

    def __init__(self, left: Counter[bytes]) -> None:
        self._left = left

    @classmethod
    async def of(cls, events: AsyncGenerator[Event]) -> "_InAnyOrder":
        return cls(Counter([_said(event) async for event in events]))

    async def has(self, entry: LogEntry) -> bool:
        said = _said_by(entry)
        self._left[said] -= 1
        return self._left[said] >= 0


def _said(event: Event) -> bytes:
    name = event.event_type[len(rules.PREFIX) :]
    return rules.entry_hash(0, name, event.micros, event.payload, rules.GENESIS)


def _said_by(entry: LogEntry) -> bytes:
    micros = to_micros(entry.timestamp)
    return rules.entry_hash(0, entry.type, micros, entry.payload, rules.GENESIS)
