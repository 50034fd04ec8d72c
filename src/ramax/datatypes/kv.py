"""``store.kv``: values under keys."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from ramax.core.datatypes import kv as rules
from ramax.core.datatypes.datatype import check_own_name
from ramax.datatypes.arguments import bound, checked_prefix, named, names
from ramax.runtime.partition import Partition, WriteOptions
from ramax.values import Commit, Event

_KEY, _PREFIX = "kv key", "prefix of kv keys"


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """What a key held from an event on; ``deleted``: nothing."""

    value: Any
    deleted: bool
    space_sequence: int
    timestamp: datetime


class KeyValues:
    """Values under keys of 1 to 900 UTF-8 bytes; a value is anything that ramax stores.

    A batch is written as a whole or not at all. Keys are listed in byte order. Every write takes
    the options of `ContentStore.execute`: ``expected_sequence``, ``idempotency_key``, ….
    """

    def __init__(self, part: Partition) -> None:
        self._part = part

    async def put(self, key: str, value: Any, **options: Unpack[WriteOptions]) -> Commit:
        """Store a value; what the key held before stays in its `history`.

        Raises:
            DataError: The key breaks a rule. CodecError: The value cannot be stored.
        """
        return await self._part.execute(rules.put, {check_own_name(key, _KEY): value}, **options)

    async def put_many(
        self,
        values: Mapping[str, Any] | Iterable[tuple[str, Any]],
        **options: Unpack[WriteOptions],
    ) -> Commit:
        """Store several values, given as a dict or as pairs; all or none."""
        return await self._part.execute(rules.put, named(values, _KEY), **options)

    async def get(
        self, key: str, default: Any = None, *, as_of: int | datetime | None = None
    ) -> Any:
        """Return the value of a key, or ``default``.

        Args:
            as_of: What it was after this event of the space, or at this time.

        Raises:
            DataError: ``as_of`` lies beyond the newest event, or in the future.
        """
        check_own_name(key, _KEY)
        if as_of is None:
            found = await self._part.get_many([key])
            return found.get(key, default)
        upto = await self._part.access.locate(as_of)
        newest = await self._part.history(key, limit=1, before=upto + 1)
        if not newest or newest[0].event_type != rules.PUT:
            return default
        return newest[0].payload["value"]

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that are there, as of one moment, in that order."""
        return await self._part.get_many(names(keys, _KEY))

    async def exists(self, key: str) -> bool:
        """Say whether the key is there, be its value None."""
        return bool(await self._part.get_many([check_own_name(key, _KEY)]))

    async def delete(self, key: str, **options: Unpack[WriteOptions]) -> bool:
        """Delete a key; say whether it was there. Its history stays."""
        keys = [check_own_name(key, _KEY)]
        commit = await self._part.execute(rules.delete, keys, **options)
        return bool(commit.events)

    async def delete_many(self, keys: Iterable[str], **options: Unpack[WriteOptions]) -> Commit:
        """Delete those keys that are there, all at once: one event for each."""
        return await self._part.execute(rules.delete, names(keys, _KEY), **options)

    def iter(
        self, prefix: str = "", *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield keys that begin with a prefix, and their values, in order; see `list`."""
        bound(limit, "limit")
        if after is not None:
            checked_prefix(after, _KEY)
        return self._part.under(checked_prefix(prefix, _PREFIX), limit=limit, after=after)

    async def count(self, prefix: str = "") -> int:
        """Count the keys that begin with a prefix."""
        return await self._part.count(checked_prefix(prefix, _PREFIX))

    async def history(self, key: str, *, limit: int | None = None) -> list[KeyVersion]:
        """Return what the key held, the newest first; empty for a key that never was there."""
        events = await self._part.history(check_own_name(key, _KEY), limit=bound(limit, "limit"))
        return [_version(event) for event in events]

    async def list(
        self, prefix: str = "", limit: int | None = None, after: str | None = None
    ) -> list[str]:
        """Return the keys that begin with a prefix, in order.

        Args:
            limit: At most so many; no limit by default.
            after: Only keys above this one: the last of the page before.
        """
        bound(limit, "limit")
        if after is not None:
            checked_prefix(after, _KEY)
        return await self._part.keys(checked_prefix(prefix, _PREFIX), limit=limit, after=after)


def _version(event: Event) -> KeyVersion:
    return KeyVersion(
        event.payload.get("value"),
        event.event_type == rules.DELETED,
        event.space_sequence,
        event.timestamp,
    )
