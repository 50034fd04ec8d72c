"""Reading the stored state of a space: from memory where that is sound, and never half folded."""

from collections.abc import Sequence
from typing import NamedTuple

from ramax.core.domain import Domain
from ramax.core.fold import check_fit
from ramax.core.guard import Guard
from ramax.core.limits import check_key
from ramax.core.state import Packed
from ramax.errors import SpaceNotFoundError
from ramax.runtime.catchup import catch_up, check_all_there, inherit
from ramax.runtime.commands import NO_DOMAIN
from ramax.runtime.core import Core
from ramax.runtime.watching import Watch
from ramax.storage.reads import Facts, read_event_types
from ramax.values import Space


class Found(NamedTuple):
    """Packed values, and the guard at which they are valid; None for a space without a row."""

    guard: Guard | None
    values: dict[str, Packed | None]


class StateReads:
    """Reads values of one space; folds first what its log has more, where the domain may."""

    __slots__ = ("_core", "_domain", "_space")

    def __init__(self, core: Core, space: Space, domain: Domain | None) -> None:
        self._core, self._space, self._domain = core, space, domain

    async def current(self) -> Space:
        """Return the space, with its gap folded where this handle may."""
        space = await self._core.resolve(self._space)
        if space.space_id and (self._domain is not None or await self._core.base_of(space)):
            await self._read_saved(space, (), keep=False)
        return space

    async def read(self, keys: Sequence[str], *, keep: bool = False) -> Found:
        """Read values as of one moment, None for a key that is not there.

        Args:
            keep: Put them into memory, for commands, even if nothing of the space is there yet.
        """
        self._core.check_caller()
        for key in keys:
            check_key(key, "pstate key")
        return await self.read_stored(keys, keep=keep)

    async def read_stored(self, keys: Sequence[str], *, keep: bool = False) -> Found:
        """As `read`, of any stored keys: those of ramax's data types as well."""
        self._core.check_caller()
        space = self._space
        if not space.space_id:
            space = await self._core.resolve(space)
            if not space.space_id:
                return Found(None, dict.fromkeys(keys))
        return await self._read_saved(space, keys, keep=keep)

    async def _read_saved(self, space: Space, keys: Sequence[str], *, keep: bool) -> Found:
        if self._core.options.exclusive:
            held = self._from_memory(space, keys)
            if held is not None:
                if self._core.watch is not None:
                    self._core.watch.lookups(len(keys), 0)
                return held
        while True:
            self._core.check_caller()
            cache = self._core.cache
            known, tick = cache.known(space.space_id), cache.tick(space.space_id)
            if self._core.watch is None:
                facts = await self._core.reader.facts(space.space_id, keys)
            else:
                facts = await self._fetch(self._core.watch, space, keys)
            if facts is None:
                raise SpaceNotFoundError(space.space_name)
            if not await self._behind(space, facts.guard):
                if self._core.options.exclusive or known is not None or keep:
                    cache.observe(space.space_id, facts.space_name, facts.guard, facts.values, tick)
                return Found(facts.guard, facts.values)

    async def _fetch(self, watch: Watch, space: Space, keys: Sequence[str]) -> Facts | None:
        with watch.operation("fetch", space.space_name) as operation:
            operation.facts["keys"] = len(keys)
            watch.lookups(0, len(keys))
            return await self._core.reader.facts(space.space_id, keys)

    def _from_memory(self, space: Space, keys: Sequence[str]) -> Found | None:
        known = self._core.cache.known(space.space_id)
        if known is None or known.guard.checkpoint != known.guard.last_sequence:
            return None
        try:
            return Found(known.guard, {key: known.values[key] for key in keys})
        except KeyError:
            return None

    async def _behind(self, space: Space, guard: Guard) -> bool:
        """Fold the gap where this handle's domain fits; say whether to read again."""
        if guard.checkpoint == guard.last_sequence:
            return False
        inherited = guard.checkpoint < await self._core.base_of(space)
        if inherited and not guard.checkpoint and await inherit(self._core, space):
            return True
        domain = self._domain
        if inherited:  # nobody has folded this fork, and it has nothing that may be read as it is
            domain = domain or NO_DOMAIN
            check_all_there(domain, guard, space.space_name)
        elif domain is None:
            return False
        elif guard.domains is not None and guard.checkpoint and guard.domains - domain.names:
            return False  # another domain's fold: it may be read as it is
        types: frozenset[str] = await self._core.reader.run(
            lambda ex: read_event_types(ex, space.space_id, guard.checkpoint)
        )
        check_fit(domain, guard.domains, guard.checkpoint, space.space_name, lambda _upto: types)
        await catch_up(self._core, space, domain)
        return True
