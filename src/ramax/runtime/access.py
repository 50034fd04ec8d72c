"""How data types reach a space through a store: each call by itself, as of its own moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import Domain
from ramax.core.query import Search
from ramax.core.selection import BEFORE_ALL
from ramax.core.state import Packed
from ramax.core.sync.record import REFUSED
from ramax.runtime import commands
from ramax.runtime.core import Core
from ramax.runtime.page_fold import facts_of
from ramax.runtime.partition import Range, Window, Write, WriteOptions
from ramax.runtime.point import check_point, locate
from ramax.runtime.state_reads import StateReads
from ramax.storage import pstate
from ramax.storage.canonical import read_entity_in_order
from ramax.storage.events import FOREVER
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import lineage_of
from ramax.storage.reads import read_facts
from ramax.storage.search import read_matches
from ramax.values import Commit, Space

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """See `ramax.runtime.partition.Access`."""

    core: Core
    space: Space
    domain: Domain | None

    async def memory(self) -> tuple[Core, int] | None:
        """Return the open database and the id of the space."""
        space = await self.core.resolve(self.space)
        return (self.core.root, space.space_id) if space.space_id else None

    async def locate(self, at: int | datetime) -> int:
        """Return the sequence of the newest event up to a point of the space's history.

        Raises:
            DataError: It lies beyond the newest event, or in the future.
        """
        check_point(at)
        space, now = await self.core.resolve(self.space), self.core.clock()
        return (await self.core.read(lambda ex: locate(ex, space, at, now))).sequence

    async def is_replicated(self) -> bool:
        """Read it with one statement."""
        return await self._query(is_replicated, False)  # noqa: FBT003

    async def execute(self, datatype: DataType, write: Write, options: WriteOptions) -> Commit:
        """Run a command and commit it; what the pstate lacks is folded by the store's domain."""
        space = await self.core.resolve(self.space)
        commits = await commands.execute(
            self.core,
            space,
            datatype,
            [(write.command, write.params)],
            folder=self.domain,
            asked=write.asked,
            **options,
        )
        return commits[0]

    async def packed(self, keys: Sequence[str]) -> dict[str, Packed | None]:
        """Read stored values, from memory where that is allowed."""
        reads = StateReads(self.core, self.space, self.domain)
        return (await reads.read_stored(keys)).values

    async def page(self, wanted: Range) -> Sequence[tuple[str, Packed]]:
        """Read a page with one statement."""
        return await self._query(lambda ex, space_id: read_range(ex, space_id, wanted), ())

    async def count(self, prefix: str) -> int:
        """Count with one statement."""
        return await self._query(lambda ex, id_: pstate.read_count(ex, id_, prefix) or 0, 0)

    async def matches(self, search: Search, wanted: Window) -> Sequence[Row]:
        """Read a page with one statement."""
        return await self._query(lambda ex, space_id: read_window(ex, space_id, search, wanted), ())

    async def in_order(self, entity_id: str, upto: int) -> Sequence[int] | None:
        """Read them with one statement, and another before it."""
        space = await self.core.resolve(self.space)
        return await self.core.read(lambda ex: read_in_order(ex, space.space_id, entity_id, upto))

    async def _query(self, work: Callable[[Executor, int], T], nothing: T) -> T:
        space = await self.core.resolve(self.space)
        if not space.space_id:
            return nothing
        if await self.core.base_of(space):  # a fork may have nothing folded yet
            await StateReads(self.core, space, self.domain).current()

        def read(ex: Executor) -> T:
            found = work(ex, space.space_id)
            if not found:
                facts_of(ex, space)  # perhaps the whole space is gone
            return found

        return await self.core.read(read)


def is_replicated(ex: Executor, space_id: int) -> bool:
    """Say whether a space is one of several replicas, or was forked from one."""
    spaces = {space_id, *(part.space_id for part in lineage_of(ex, space_id))}
    found = read_facts(ex, dict.fromkeys(spaces, ()))
    return any(facts.guard.replica is not None for facts in found.values())


def read_in_order(ex: Executor, space_id: int, entity_id: str, upto: int) -> Sequence[int] | None:
    """Read the order of the events of an entity; see `ramax.runtime.partition.Access`."""
    found = read_facts(ex, {space_id: ()}).get(space_id)
    if found is None or found.guard.replica is None:
        return None
    rows = read_entity_in_order(ex, space_id, entity_id, upto=upto, limit=FOREVER)
    return [row[0] for row in rows if row[4] != REFUSED]


def read_range(ex: Executor, space_id: int, wanted: Range) -> Sequence[tuple[str, Packed]]:
    """Read a page of keys."""
    return pstate.read_in_range(
        ex,
        space_id,
        wanted.low,
        wanted.high,
        after=wanted.after,
        limit=wanted.limit,
        down=wanted.down,
    )


def read_window(ex: Executor, space_id: int, search: Search, wanted: Window) -> Sequence[Row]:
    """Read a page of the events that are searched for."""
    return read_matches(
        ex,
        space_id,
        [search],
        after=wanted.after,
        upto=wanted.upto,
        since=BEFORE_ALL,
        until=FOREVER,
        limit=wanted.limit,
        reverse=wanted.down,
    )
