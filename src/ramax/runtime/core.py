"""What the handles of one open database share: backend, writer, reader, cache, clock."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from ramax.core.domain import Domain
from ramax.core.limits import RESERVED_PREFIX, check_sequence, validate_space_name
from ramax.core.observer import Observer
from ramax.core.schema import Schema
from ramax.errors import (
    DataError,
    NestedTransactionError,
    SpaceNotFoundError,
)
from ramax.runtime.announcements import Announcements
from ramax.runtime.arrivals import Arrivals
from ramax.runtime.attempts import Attempts
from ramax.runtime.cache import StateCache
from ramax.runtime.callers import Callers
from ramax.runtime.feed_watch import FeedWatch
from ramax.runtime.leases import Leases
from ramax.runtime.queue import Limits
from ramax.runtime.reader import Reader
from ramax.runtime.turns import Turns
from ramax.runtime.wakeups import Wakeups
from ramax.runtime.watching import Watch
from ramax.runtime.write_back import WriteBack, WriteBackLimits
from ramax.runtime.writer import Writer
from ramax.storage import lineage, spaces
from ramax.storage.backend import Backend
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import Executor
from ramax.storage.spaces import DEFAULT, UNSAVED_DEFAULT
from ramax.values import EPOCH, MAIN_BRANCH, Space

T = TypeVar("T")
SpaceLike = Space | str | int
Confirm = Callable[[], Awaitable[None]]


def utc_micros() -> int:
    """Return the wall clock in UTC microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Options:
    """How a database was opened; bytes and events."""

    exclusive: bool = False
    cache_bytes: int = 64 * 1024 * 1024
    page: int = 2000
    rebuild_memory: int = 256 * 1024 * 1024
    limits: Limits = field(default_factory=Limits)
    write_back: WriteBackLimits = field(default_factory=WriteBackLimits)
    read_only: bool = False
    pgvector: bool = False


class Core:
    """One open database; every handle refers to it and nothing else is shared."""

    def __init__(
        self, backend: Backend, options: Options, clock: Callable[[], int] = utc_micros
    ) -> None:
        self.backend, self.options, self.clock = backend, options, clock
        self.callers = Callers()
        self.check_caller = self.callers.check
        self.cache = StateCache(options.cache_bytes)
        self.attempts = Attempts(backend, self.cache, clock)
        self.writer = Writer(backend, self.attempts, options.limits)
        self.turns = Turns(backend, self.writer, options.limits)
        self.reader = Reader(backend, self.turns, self.cache)
        self.write_back = WriteBack(
            self.turns, self.cache, options.write_back, read_only=options.read_only
        )
        self.attempts.on_outdated = self.write_back.add
        self.leases = Leases(self.reader.run, self.turns.locked, clock)
        self.wakeups = Wakeups(
            self.reader.run, backend.listener, FeedWatch(options.limits.slow_turn)
        )
        self.attempts.on_commit = self.wakeups.committed
        self.arrivals = Arrivals()
        self.projected: dict[int, sa.Table] = {}  # by identity: tables of projections
        self.confirming: dict[int, Confirm] = {}
        """By space: what its callers wait for after their commits; empty in most databases."""
        self._announcements: Announcements | None = None
        if backend.listener is not None:
            self._announcements = Announcements(self.reader.run, clock)
            self.attempts.on_commit = self.tell
        self._default: Space | None = None
        self.watch: Watch | None = None
        self.quick_reads = options.exclusive  # straight from memory; a watched read is counted

    # -- who watches -----------------------------------------------------------------------------

    def observe(self, observer: Observer | None) -> None:
        """Tell ``observer`` from now on, and nobody else; None: nobody."""
        if self.watch is not None:
            self.watch.closed()
        watch = self.watch = None if observer is None else Watch(observer)
        self.quick_reads = self.options.exclusive and watch is None
        self.attempts.watch = self.write_back.watch = watch
        if watch is not None:
            writer, write_back, cache = self.writer, self.write_back, self.cache
            watch.opened(
                self.backend.tables.dialect,
                {
                    "writer_queue": lambda: writer.waiting,
                    "write_back_queue": lambda: write_back.waiting,
                    "cache_bytes": lambda: cache.bytes_used,
                },
            )

    def tell(self, space_ids: Sequence[int]) -> None:
        """Wake whoever waits for these spaces, here or in another process."""
        self.wakeups.committed(space_ids)
        if self._announcements is not None:
            self._announcements.committed(space_ids)

    def know(self, domain: Domain | None) -> None:
        """Remember in which tables a domain projects: a space that is deleted leaves them, too."""
        for projection in () if domain is None else domain.projections:
            self.projected.update((id(table), table) for table in projection.tables)

    @property
    def closed(self) -> bool:
        """Whether the database was closed."""
        return self.callers.closed

    # -- running work ----------------------------------------------------------------------------

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run a read; see `Reader.run`."""
        self.check_caller()
        return await self.reader.run(work)

    async def read_whole(self, work: Callable[[Executor], T]) -> T:
        """As `read`, but it has ended when this ends, even where the caller is cancelled.

        For work on something that the caller closes afterwards.
        """
        self.check_caller()
        return await to_its_end(self.reader.run(work))

    async def locked(self, holder: str, work: Callable[[Executor], T]) -> T:
        """Run work in a transaction of its own; see `Turns.locked`."""
        self.check_caller()
        return await self.turns.locked(holder, work)

    # -- which space -----------------------------------------------------------------------------

    @property
    def root(self) -> "Core":
        """The core of the whole database: this one, unless it is a branch's."""
        return self

    async def branch(self) -> int:
        """Return the id of the branch whose spaces these are."""
        return MAIN_BRANCH

    async def resolve(self, space: SpaceLike) -> Space:
        """Return the space that a caller means; one that has no row yet has id 0.

        That is `default` before its first write, and what a view names (`ContentStore.at`).

        Raises:
            SpaceNotFoundError: There is none of that name or id.
            DataError: It is not a space, a name or an id.
        """
        if isinstance(space, Space):
            if space.space_id:
                if space.branch_id != await self.branch():
                    raise SpaceNotFoundError(space.space_name)
                return space
            if space.space_name != DEFAULT:
                return await self.find_by_name(space.space_name) or space
            if self._default is not None:  # it keeps its row for good
                return self._default
        return await self.present(space)

    def outdated(self, space: Space, schema: Schema, key: str) -> None:
        """Hear of a key that was read in an older shape than the schema's."""
        self.write_back.add(self.saved_id(space), space.space_name, {key: schema})

    def saved_id(self, space: Space) -> int:
        """Return the id of a space, 0 for a `default` that is not known to have a row."""
        return space.space_id or (self._default.space_id if self._default else 0)

    async def present(self, space: SpaceLike) -> Space:
        """Like `resolve`, but a `Space` is read again: it may have been deleted or changed.

        Raises:
            SpaceNotFoundError: There is none of that name or id.
            DataError: It is not a space, a name or an id.
        """
        target = space
        if isinstance(space, Space):
            target = space.space_id or space.space_name
        found = await self.find(target)  # type: ignore[arg-type]
        if found is None:
            raise SpaceNotFoundError(space.space_name if isinstance(space, Space) else space)
        return found

    async def find(self, name_or_id: str | int) -> Space | None:
        """Return the space of that name or id, or None."""
        check_space(name_or_id)
        if isinstance(name_or_id, str):
            return await self.find_by_name(name_or_id)
        return await self.find_by_id(name_or_id)

    async def find_by_name(self, name: str) -> Space | None:
        """Return the space of that name, or None; `default` is always there."""
        if not isinstance(name, str):
            raise DataError("space name", name, "must be a str")
        if not spaces.is_storable_name(name):
            return None
        branch = await self.branch()
        found = await self.read(lambda ex: spaces.find_by_name(ex, name, branch))
        if name != DEFAULT:
            return found
        self._default = found or self._default
        return found or UNSAVED_DEFAULT

    async def find_by_id(self, space_id: int) -> Space | None:
        """Return the space of that id, or None; 0 is `default`."""
        check_sequence(space_id, "space id")
        if space_id == UNSAVED_DEFAULT.space_id:
            return await self.find_by_name(DEFAULT)
        branch = await self.branch()
        found = await self.read(lambda ex: spaces.find_by_id(ex, space_id))
        return found if found is not None and found.branch_id == branch else None

    async def saved(self, space: SpaceLike) -> Space:
        """Return the space with a row: one that has none yet gets its own now.

        Raises:
            SpaceNameError: A new space may not have this name.
        """
        found = await self.resolve(space)
        return found if found.space_id else await self.create(found.space_name, None)

    async def opened(self, space: SpaceLike) -> Space:
        """As `saved`, but a name that does not exist is made as well."""
        return await self.saved(unregistered(space) if isinstance(space, str) else space)

    async def get_or_create(self, name: str, metadata: Mapping[str, Any] | None) -> Space:
        """Return the space of that name, made if it was not there; stored metadata wins.

        `default` is there from the start; it gets a row here only to hold ``metadata``.
        """
        found = await self.find_by_name(name) if isinstance(name, str) else None
        if found is not None and (found.space_id or metadata is None):
            return found
        return await self.create(name, metadata)

    async def create(self, name: str, metadata: Mapping[str, Any] | None) -> Space:
        """As `get_or_create`, but `default` gets its row."""
        validate_space_name(name)
        now, branch = self.clock(), await self.branch()

        def work(ex: Executor) -> Space:
            found = spaces.find_by_name(ex, name, branch) or spaces.create(
                ex, name, metadata, now, branch
            )
            # none of both: another process created it in between and its row is visible now
            return found or spaces.find_by_name(ex, name, branch) or _vanished(name)

        return self.known_alone(await self.locked(f"creating space {name!r}", work))

    # -- where it comes from ---------------------------------------------------------------------

    def known_alone(self, made: Space) -> Space:
        """Remember that a space was not forked: it was made just now, and that is committed."""
        self.backend.lineages.setdefault(made.space_id, lineage.ALONE)
        return made

    async def base_of(self, space: Space) -> int:
        """Return the sequence at which a space was forked, 0 where it was not; read once."""
        known = self.backend.lineages.get(space.space_id)
        if known is None:
            return await self.reader.run(lambda ex: lineage.base_of(ex, space.space_id))
        return known[-1].after if known else 0

    async def close(self) -> None:
        """Wait for what was accepted, then give every connection back.

        Raises:
            NestedTransactionError: The caller's own transaction is open, and would be waited for.
        """
        opened = self.callers.opened(None)
        if opened is not None and opened.joined is None:
            raise NestedTransactionError(f"close the database after {opened.name}, not inside")
        self.callers.closed = True
        await self.write_back.close()
        await self.wakeups.close()
        await self.leases.close()
        await self.writer.close()
        if self._announcements is not None:
            await self._announcements.close()
        await self.reader.close()
        await self.backend.close()


def unregistered(name: str) -> Space:
    """Return a space of that name that was not looked for, and may not exist.

    Raises:
        SpaceNameError: The name is reserved, or no str.
    """
    if type(name) is not str or name.startswith(RESERVED_PREFIX):
        validate_space_name(name)
    return UNSAVED_DEFAULT if name == DEFAULT else Space(0, name, EPOCH)


def check_space(space: object) -> None:
    """Refuse what can be neither a space nor its name or id.

    Raises:
        DataError: It is of another type, or no id could be that number.
    """
    if isinstance(space, bool) or not isinstance(space, (Space, str, int)):
        raise DataError("space", space, "give a Space, its name or its id")
    if isinstance(space, int):
        check_sequence(space, "space id")


def _vanished(name: str) -> Space:
    raise SpaceNotFoundError(name)
