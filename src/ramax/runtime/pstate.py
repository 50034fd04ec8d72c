"""The pstate as users see it: ``db.pstate`` over all spaces, ``store.pstate`` over one."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Any

from ramax.core.codec import encode
from ramax.core.decoding import Decoding
from ramax.core.domain import Domain
from ramax.core.fold import check_fit
from ramax.core.limits import check_key, check_payload_size, check_sequence
from ramax.core.schema import NO_SCHEMA
from ramax.core.state import Packed
from ramax.core.unit import Guard
from ramax.errors import (
    DataError,
    KeyNotFoundError,
    MisuseError,
    SpaceNotFoundError,
    StateReplacedError,
)
from ramax.runtime.cache import Known
from ramax.runtime.catchup import catch_up, facts_of
from ramax.runtime.complaints import logger
from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.write_back import MigrationStats
from ramax.storage import pstate
from ramax.storage.executors import Executor
from ramax.storage.reads import read_event_types
from ramax.storage.spaces import move_state_version, take_lock
from ramax.values import Space

PAGE = 1000

_NOT_HELD: Any = object()


class PStateRepository:
    """Reads and writes stored values of spaces, given as `Space`, name or id; folds nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get(self, space: SpaceLike, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        found = await self._core.resolve(space)
        return await SpacePState(self._core, found, None).get(key, default)

    async def get_many(self, space: SpaceLike, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that exist, in the order asked for."""
        found = await self._core.resolve(space)
        return await SpacePState(self._core, found, None).get_many(keys)

    async def put(self, space: SpaceLike, key: str, value: Any) -> None:
        """Store a value that no event wrote; see `SpacePState.put`."""
        found = await self._core.resolve(space)
        await SpacePState(self._core, found, None).put(key, value)

    async def delete(self, space: SpaceLike, key: str) -> bool:
        """Delete a value that ``put`` wrote; see `SpacePState.delete`."""
        found = await self._core.resolve(space)
        return await SpacePState(self._core, found, None).delete(key)

    async def scan(
        self, space: SpaceLike, prefix: str = "", *, limit: int | None = None, after: str = ""
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield keys and values in key order; see `SpacePState.scan`."""
        found = await self._core.resolve(space)
        async for pair in SpacePState(self._core, found, None).scan(
            prefix, limit=limit, after=after
        ):
            yield pair


class SpacePState:
    """The read model of one space. Every value handed out is the caller's own."""

    def __init__(self, core: Core, space: Space, domain: Domain | None) -> None:
        self._core, self._space, self._domain = core, space, domain
        self._schema = NO_SCHEMA if domain is None else domain.schema
        self._decoding = Decoding(domain, self._outdated)
        self._known: Known | None = None

    async def fetch(self, key: str) -> Any:
        """Return the value of a key.

        Raises:
            KeyNotFoundError: There is no such key.
        """
        packed = self._held(key)
        if packed is _NOT_HELD:
            packed = (await self._read([key]))[key]
        if packed is None:
            raise KeyNotFoundError(self._space.space_name, key)
        return self._decoding.value(key, packed)

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        packed = self._held(key)
        if packed is _NOT_HELD:
            packed = (await self._read([key]))[key]
        return default if packed is None else self._decoding.value(key, packed)

    def _held(self, key: str) -> Any:
        """Return the packed value from memory, where this process is the only writer."""
        core = self._core
        if not core.options.exclusive:
            return _NOT_HELD
        core.check_caller()
        known = self._known
        if known is None or not known.live:
            known = self._known = core.cache.known(self._space.space_id)
        if known is None or known.guard.checkpoint != known.guard.last_sequence:
            return _NOT_HELD
        return known.values.get(key, _NOT_HELD) if type(key) is str else _NOT_HELD

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that exist, as of one moment, in the order asked for."""
        wanted = distinct_keys(keys)
        found = await self._read(wanted)
        decode = self._decoding.value
        return {key: decode(key, value) for key in wanted if (value := found[key]) is not None}

    async def scan(
        self, prefix: str = "", *, limit: int | None = None, after: str = ""
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield (key, value) in key order, byte by byte, for keys that begin with ``prefix``.

        Args:
            limit: At most so many; no limit by default.
            after: Only keys above this one.

        Raises:
            StateReplacedError: A rebuild replaced the state between two pages.
        """
        check_prefix(prefix)
        check_prefix(after)
        left = 2**63 - 1 if limit is None else limit
        check_sequence(left, "limit")
        space = await self._current()
        generation: int | None = None
        while left > 0 and space.space_id:
            size = min(left, PAGE)
            now, page = await self._core.read(
                partial(_scan_page, space, generation, prefix=prefix, after=after, limit=size)
            )
            if generation not in (None, now):
                raise StateReplacedError(
                    f"the pstate of {space.space_name!r} was replaced during the scan; start again"
                )
            generation = now
            for key, packed in page:
                yield key, self._decoding.value(key, packed)
            if len(page) < size:
                return
            left -= len(page)
            after = page[-1][0]

    async def count(self, prefix: str = "") -> int:
        """Count the keys that begin with ``prefix``."""
        check_prefix(prefix)
        space = await self._current()
        if not space.space_id:
            return 0
        count = await self._core.read(lambda ex: pstate.read_count(ex, space.space_id, prefix))
        if count is None:
            raise SpaceNotFoundError(space.space_name)
        return count

    async def put(self, key: str, value: Any) -> None:
        """Store a value that no event wrote. A rebuild drops it.

        Raises:
            MisuseError: An event wrote the key; only commands may change it.
            CodecError: The value cannot be stored.
            SchemaError: It does not fit what this handle's domain declares.
        """
        check_key(key, "pstate key")
        value = self._declared(key, value)
        packed = encode(value, f"pstate value of {key!r}")
        check_payload_size(packed, f"pstate value of {key!r}")
        space = await self._core.saved(self._space)
        now = self._core.clock()

        def work(ex: Executor) -> None:
            guard = _lock(ex, space, key)
            stamp = max(now, guard.last_timestamp)
            pstate.put(ex, space.space_id, [(key, packed)], now=stamp, direct=True)

        await self._core.locked(f"put in space {space.space_name!r}", work)
        self._core.cache.forget(space.space_id)

    async def delete(self, key: str) -> bool:
        """Delete a value that ``put`` wrote; say whether there was one.

        Raises:
            MisuseError: An event wrote the key; only commands may change it.
        """
        check_key(key, "pstate key")
        space = await self._current()
        if not space.space_id:
            return False

        def work(ex: Executor) -> bool:
            there = pstate.owned_by_event(ex, space.space_id, key)
            _lock(ex, space, key)
            pstate.delete(ex, space.space_id, [key])
            return there is not None

        deleted = await self._core.locked(f"delete in space {space.space_name!r}", work)
        self._core.cache.forget(space.space_id)
        return deleted

    def _outdated(self, key: str) -> None:
        self._core.outdated(self._space, self._schema, key)

    def _declared(self, key: str, value: Any) -> Any:
        entity = self._schema.entity_of(key)
        if entity is None:
            return value
        value, problem = entity.accept(key, value)
        if problem is not None:
            logger.warning("space %r: %s", self._space.space_name, problem)
        return value

    # -- older shapes ----------------------------------------------------------------------------

    def migration_stats(self) -> MigrationStats:
        """Say how many values were read in an older shape than declared, and what became of them.

        Counted in this process since the database was opened.
        """
        return self._core.write_back.stats(self._core.saved_id(self._space))

    async def flush_migrations(self) -> int:
        """Write back what waits of this space, now rather than by and by.

        Returns:
            How many keys were written.

        Raises:
            StorageError: The database failed; those keys are queued again when they are read.
        """
        self._core.check_caller()
        return await self._core.write_back.flush(self._core.saved_id(self._space))

    # -- reading what is folded ------------------------------------------------------------------

    async def _current(self) -> Space:
        """Return the space, with its gap folded where this handle may."""
        space = await self._core.resolve(self._space)
        if self._domain is not None and space.space_id:
            await self._read_saved(space, ())
        return space

    async def _read(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        self._core.check_caller()
        for key in keys:
            check_key(key, "pstate key")
        space = self._space
        if not space.space_id:
            space = await self._core.resolve(space)
            if not space.space_id:
                return dict.fromkeys(keys)
        return await self._read_saved(space, keys)

    async def _read_saved(self, space: Space, keys: Sequence[str]) -> dict[str, Packed | None]:
        if self._core.options.exclusive:
            held = self._from_memory(space, keys)
            if held is not None:
                return held
        while True:
            self._core.check_caller()
            cache = self._core.cache
            known, tick = cache.known(space.space_id), cache.tick(space.space_id)
            facts = await self._core.reader.facts(space.space_id, keys)
            if facts is None:
                raise SpaceNotFoundError(space.space_name)
            if not await self._behind(space, facts.guard):
                if self._core.options.exclusive or known is not None:
                    cache.observe(space.space_id, facts.space_name, facts.guard, facts.values, tick)
                return facts.values

    def _from_memory(self, space: Space, keys: Sequence[str]) -> dict[str, Packed | None] | None:
        known = self._core.cache.known(space.space_id)
        if known is None or known.guard.checkpoint != known.guard.last_sequence:
            return None
        try:
            return {key: known.values[key] for key in keys}
        except KeyError:
            return None

    async def _behind(self, space: Space, guard: Guard) -> bool:
        """Fold the gap where this handle's domain fits; say whether to read again."""
        if guard.checkpoint == guard.last_sequence or self._domain is None:
            return False
        if guard.domains is not None and guard.checkpoint and guard.domains - self._domain.names:
            return False  # another domain's fold: it may be read as it is
        types: frozenset[str] = await self._core.reader.run(
            lambda ex: read_event_types(ex, space.space_id, guard.checkpoint)
        )
        check_fit(
            self._domain, guard.domains, guard.checkpoint, space.space_name, lambda _upto: types
        )
        await catch_up(self._core, space, self._domain)
        return True


def distinct_keys(keys: Iterable[str]) -> list[str]:
    """Return several keys without repeats, same order.

    Raises:
        DataError: It is one text rather than several, or a key breaks a rule.
    """
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise DataError("pstate keys", keys, "give several keys, as a list")
    wanted = list(keys)
    for key in wanted:
        check_key(key, "pstate key")
    return list(dict.fromkeys(wanted))


def check_prefix(prefix: str) -> None:
    """Refuse what cannot be the beginning of a key; the empty prefix is every key's."""
    if not isinstance(prefix, str):
        raise DataError("key prefix", prefix, "must be a str")
    if prefix:
        check_key(prefix, "key prefix")


def _scan_page(
    space: Space, generation: int | None, ex: Executor, *, prefix: str, after: str, limit: int
) -> tuple[int, list[tuple[str, Packed]]]:
    """Read a page, and the generation before the first one, after every other one.

    On PostgreSQL each statement has a snapshot of its own. A generation that is the same before
    the first page and after this one was the same for all pages between.
    """
    first = facts_of(ex, space).guard.replacements if generation is None else None
    page = pstate.read_scan(ex, space.space_id, prefix, after=after, limit=limit)
    return facts_of(ex, space).guard.replacements if first is None else first, page


def _lock(ex: Executor, space: Space, key: str) -> Guard:
    take_lock(ex, space.space_id, space.space_name)
    if pstate.owned_by_event(ex, space.space_id, key):
        raise MisuseError(
            f"pstate key {key!r} of space {space.space_name!r} was written by an event; change it "
            "with a command"
        )
    guard = facts_of(ex, space).guard
    move_state_version(ex, space.space_id)
    return guard
