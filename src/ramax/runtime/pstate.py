"""``store.pstate``: the read model of one space as its users see it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from ramax.core.codec import encode
from ramax.core.decoding import Decoding
from ramax.core.domain import Domain
from ramax.core.limits import check_key, check_payload_size, check_sequence
from ramax.core.preload import preload, preload_tree
from ramax.core.schema import NO_SCHEMA
from ramax.core.state import Packed
from ramax.core.unit import Guard
from ramax.core.walk import NOT_THERE, Walk
from ramax.errors import KeyNotFoundError, MisuseError, SpaceNotFoundError, StateReplacedError
from ramax.runtime.cache import Known
from ramax.runtime.catchup import facts_of
from ramax.runtime.complaints import logger
from ramax.runtime.core import Core
from ramax.runtime.pstate_reader import PStateReader
from ramax.runtime.state_reads import StateReads
from ramax.runtime.state_view import StateView, check_prefix
from ramax.runtime.write_back import MigrationStats
from ramax.storage import pstate
from ramax.storage.executors import Executor
from ramax.storage.spaces import move_state_version, take_lock
from ramax.values import Space

T = TypeVar("T")

TRIES = 3
"""How often a walk is begun between commits of others before a reader holds them off."""

PAGE = 1000

_NOT_HELD: Any = object()


class _MovedError(Exception):
    """Somebody wrote between two reads that belong together."""


class SpacePState(StateView):
    """The read model of one space. Every value handed out is the caller's own."""

    def __init__(self, core: Core, space: Space, domain: Domain | None) -> None:
        super().__init__(Decoding(domain, self._outdated))
        self._core, self._space, self._domain = core, space, domain
        self._reads = StateReads(core, space, domain)
        self._schema = NO_SCHEMA if domain is None else domain.schema
        self._known: Known | None = None

    async def fetch(self, key: str) -> Any:
        """Return the value of a key.

        Raises:
            KeyNotFoundError: There is no such key.
        """
        packed = self._held(key)
        if packed is _NOT_HELD:
            packed = (await self._load([key]))[key]
        if packed is None:
            raise KeyNotFoundError(self._space.space_name, key)
        return self._decoding.value(key, packed)

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        packed = self._held(key)
        if packed is _NOT_HELD:
            packed = (await self._load([key]))[key]
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

    def _name(self) -> str:
        return self._space.space_name

    async def _load(self, keys: Sequence[str]) -> Mapping[str, Packed | None]:
        return (await self._reads.read(keys)).values

    async def _walk(self, begin: Callable[[], Walk[T]]) -> T:
        return await self._still(begin, keep=False)

    async def _still(self, begin: Callable[[], Walk[T]], *, keep: bool) -> T:
        """Run a walk; again where somebody wrote between two of its reads, at last in a reader."""
        for _ in range(TRIES):
            guards: list[Guard | None] = []

            async def load(keys: Sequence[str], seen: list[Guard | None] = guards) -> Any:
                guard, values = await self._reads.read(keys, keep=keep)
                seen.append(guard)
                if _moved(seen[0], guard):
                    raise _MovedError
                return values

            with suppress(_MovedError):
                return await self._answered(begin(), load)
        async with self.reader() as reader:
            return await reader._walk(begin)  # noqa: SLF001 - a view of the same state

    async def preload(self, key: str, paths: Any) -> Any:
        """Read a key and what it leads to along paths of fields into memory, a read per level.

        What it warms: with ``cache="exclusive"`` and in memory, every later read; otherwise the
        commands of this process, which then decide without reading. A read must ask the database
        there, as another process may have written: preload in a `reader`.

        Args:
            paths: "cards.translations", a tuple of names, ``{"cards": "translations"}``, or
                several of these in a list.

        Returns:
            The value of the key, None if it does not exist.

        Raises:
            DataError: The paths cannot be read.
        """
        check_key(key, "pstate key")
        tree = preload_tree(paths)
        value = await self._still(lambda: preload(key, tree), keep=True)
        return None if value is NOT_THERE else value

    def reader(self) -> PStateReader:
        """Open a reader, for several reads as of one sequence: ``async with … as reader``."""
        return PStateReader(self._core, self._space, self._reads, self._decoding)

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
        space = await self._reads.current()
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
        space = await self._reads.current()
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
        space = await self._reads.current()
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


def _moved(first: Guard | None, now: Guard | None) -> bool:
    return first is not now and (first is None or now is None or first[:2] != now[:2])


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
