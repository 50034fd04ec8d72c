"""``store.pstate``: the read model of one space as its users see it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from ramax.core.decoding import Decoding
from ramax.core.domain import Domain
from ramax.core.guard import Guard
from ramax.core.limits import check_key, check_sequence
from ramax.core.preload import preload, preload_tree
from ramax.core.schema import NO_SCHEMA
from ramax.core.state import Packed
from ramax.core.walk import NOT_THERE, Walk
from ramax.errors import KeyNotFoundError, SpaceNotFoundError, StateReplacedError
from ramax.runtime import direct_values
from ramax.runtime.cache import Known
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.runtime.pstate_reader import PStateReader
from ramax.runtime.referrers import check_indexed, referrers
from ramax.runtime.state_reads import StateReads
from ramax.runtime.state_view import Pages, StateView, check_prefix
from ramax.runtime.write_back import MigrationStats
from ramax.storage import pstate
from ramax.storage.executors import Executor
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
        if not core.quick_reads:
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

    async def _pages(self, prefix: str) -> Pages:
        return _Scan(self._core, await self._reads.current(), prefix).page

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

    async def referrers(
        self,
        key: str,
        *,
        entity: str | None = None,
        field: str | None = None,
        limit: int | None = None,
        after: str = "",
    ) -> AsyncIterator[str]:
        """Yield the keys whose values refer to ``key``, in key order, page by page.

        Known are references in fields that this handle's domain declares with ``index=True``.
        The index of a space is made when it is first asked for, and kept by every write from then
        on. ``key`` itself need not exist.

        Args:
            entity: Only entities of this type.
            field: Only references in this field.
            limit: At most so many; no limit by default.
            after: Only keys above this one.

        Raises:
            MisuseError: No field, or not this one, is declared with an index.
            StateReplacedError: A rebuild replaced the state between two pages.
        """
        check_key(key, "pstate key")
        check_prefix(after)
        check_prefix(entity or "")
        left = 2**63 - 1 if limit is None else limit
        check_sequence(left, "limit")
        check_indexed(self._schema, field)
        space = await self._reads.current()
        if space.space_id:
            found = referrers(
                self._core,
                space,
                self._schema,
                key,
                entity=entity,
                field=field,
                limit=left,
                after=after,
            )
            async for each in found:
                yield each

    async def put(self, key: str, value: Any) -> None:
        """Store a value that no event wrote. A rebuild drops it.

        Raises:
            MisuseError: An event wrote the key; only commands may change it.
            CodecError: The value cannot be stored.
            SchemaError: It does not fit what this handle's domain declares.
        """
        check_key(key, "pstate key")
        space = await self._core.resolve(self._space)
        if space.space_id and await self._core.base_of(space):
            space = await self._reads.current()  # now it is known what events wrote
        await direct_values.put(self._core, space, self._schema, key, value)

    async def delete(self, key: str) -> bool:
        """Delete a value that ``put`` wrote; say whether there was one.

        Raises:
            MisuseError: An event wrote the key; only commands may change it.
        """
        check_key(key, "pstate key")
        space = await self._reads.current()
        if not space.space_id:
            return False
        return await direct_values.delete(self._core, space, self._schema, key)

    def _outdated(self, key: str) -> None:
        self._core.outdated(self._space, self._schema, key)

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


class _Scan:
    """The pages of one scan, which notices when the state is replaced between two of them."""

    def __init__(self, core: Core, space: Space, prefix: str) -> None:
        self._core, self._space, self._prefix = core, space, prefix
        self._generation: int | None = None

    async def page(self, after: str, limit: int) -> list[tuple[str, Packed]]:
        """Read up to ``limit`` keys above ``after``; raise StateReplacedError if it is too late."""
        if not self._space.space_id:
            return []
        first, now = self._generation, self._generation

        def work(ex: Executor) -> list[tuple[str, Packed]]:
            # On PostgreSQL each statement has a snapshot of its own. A generation that is the same
            # before the first page and after every other one was the same for all pages between.
            nonlocal now
            if first is None:
                now = facts_of(ex, self._space).guard.replacements
            page = pstate.read_scan(
                ex, self._space.space_id, self._prefix, after=after, limit=limit
            )
            if first is not None:
                now = facts_of(ex, self._space).guard.replacements
            return page

        page = await self._core.read(work)
        self._generation = now
        if first not in (None, now):
            name = self._space.space_name
            raise StateReplacedError(
                f"the pstate of {name!r} was replaced during the scan; start again"
            )
        return page
