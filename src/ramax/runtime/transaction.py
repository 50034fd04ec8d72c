"""An explicit transaction: several steps, possibly in several spaces, all or nothing."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import Command, Domain
from ramax.core.limits import validate_space_name
from ramax.core.state import Packed
from ramax.errors import (
    ClosedError,
    MisuseError,
    NestedTransactionError,
    StorageError,
    TransactionFailedError,
)
from ramax.runtime.attempt import Attempt, Trial
from ramax.runtime.batch import run_batch
from ramax.runtime.catchup import fold_gap
from ramax.runtime.commands import NO_DOMAIN
from ramax.runtime.complaints import notice
from ramax.runtime.core import Core, SpaceLike, unregistered
from ramax.runtime.held_spaces import HeldSpaces
from ramax.runtime.jobs import Append, Execute, Job, StateBehindError
from ramax.runtime.partition import Partition
from ramax.runtime.projection_gap import project_gap
from ramax.runtime.rehearsal import try_empty
from ramax.runtime.scope import TransactionPState, TransactionScope
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import CoreExecutor, Executor
from ramax.storage.faults import ConnectionLostError, at_commit, translated
from ramax.storage.lineage import base_of
from ramax.storage.reads import read_facts
from ramax.values import Commit, Event, NewEvent, Space

T = TypeVar("T")


def domain_key(space: Space) -> int | str:
    """Return what a transaction knows the domain of a space by before it begins."""
    return space.space_id or space.space_name


@dataclass(eq=False)
class Transaction:
    """All or nothing, for one task and one block.

    Locks its spaces when it begins, in id order; a name that does not exist is made a space. A
    storage error fails it for good; a command's "no" does not. With one space its verbs are the
    transaction's own.
    """

    _scope_type: ClassVar[type[TransactionScope]] = TransactionScope

    _core: Core
    _targets: Sequence[SpaceLike]
    _domains: Mapping[int | str, Domain] = field(default_factory=dict)
    """By the id of the space, or by its name where it has no row yet."""

    _connection: AsyncConnection | None = None
    _joined: bool = False
    _state: str = "new"
    _failure: BaseException | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _committed: set[int] = field(default_factory=set)
    _task: "asyncio.Task[Any] | None" = None
    _also: Sequence[Space] = ()
    _purpose: str = ""  # what a warning is to call it, where it begins without a space

    def __post_init__(self) -> None:
        self._spaces = HeldSpaces(self._core, self.run, self._connection if self._joined else None)

    @property
    def wanted(self) -> Mapping[int, Space]:
        """Spaces that were locked, or should have been; whoever begins again names them first."""
        return self._spaces.wanted

    # -- the block -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise MisuseError("a transaction is for one block; open another one")
        self._core.check_caller(self._root)
        self._task = asyncio.current_task()
        named = [] if self._joined else [await self._core.opened(t) for t in self._targets]
        name = self._name()
        try:
            if not self._joined:
                await self._begin(name)
            await self.run(ensure_begun)
            self._state = "open"
            if self._joined:
                named = [await self._spaces.make(target) for target in self._targets]
            self._domains = self._domains_of(named)
            for space in sorted([*named, *self._also], key=lambda each: each.space_id):
                await self._spaces.lock(space)
        except BaseException as error:
            self._state = "closed"
            await self._stack.__aexit__(type(error), error, error.__traceback__)
            raise
        self._core.callers.enter(name, self._root)
        return self

    @property
    def _root(self) -> sa.Transaction | None:
        """The transaction of the caller that this one is part of."""
        if not self._joined or self._connection is None:
            return None
        return self._connection.sync_connection.get_transaction()  # type: ignore[union-attr]

    def _domains_of(self, named: Sequence[Space]) -> dict[int | str, Domain]:
        """Key the domains by the ids that the spaces have now: one may just have got its own."""
        given = [domain_key(t) if isinstance(t, Space) else -1 for t in self._targets]
        return {
            space.space_id: self._domains[key]
            for key, space in zip(given, named, strict=True)
            if key in self._domains
        }

    def __await__(self) -> Any:
        """Start a joined transaction without a block: it ends with the caller's own."""
        if not self._joined:
            raise MisuseError("use `async with` for a transaction")
        return self.__aenter__().__await__()

    async def _begin(self, name: str) -> None:
        await self._stack.__aenter__()
        await self._stack.enter_async_context(self._core.turns.take(name))
        self._connection = await self._core.backend.connection()
        self._stack.push_async_callback(self._core.backend.release, self._connection)
        try:
            # cancelled while it fails, SQLAlchemy would give the connection up
            await to_its_end(self._connection.begin())
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise translated(error) from error

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        failed = self._failure
        self._state = "closed"
        if self._joined:  # the caller's own transaction goes on
            self._spaces.forget()
            if failed is not None and error is None:
                raise TransactionFailedError(_BROKEN) from failed
            return
        self._core.callers.leave(self._task)
        await to_its_end(self._end(commit=error is None and failed is None))
        if failed is not None and error is None:
            raise TransactionFailedError(_BROKEN) from failed
        if error is None and self._core.confirming:
            for space_id in sorted(self._committed):
                if (confirm := self._core.confirming.get(space_id)) is not None:
                    await confirm()

    async def _end(self, *, commit: bool) -> None:
        connection = self._connection
        assert connection is not None
        try:
            if commit:
                await connection.commit()
            else:
                await connection.rollback()
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise (at_commit(error) if commit else translated(error)) from error
        finally:
            self._spaces.forget()
            await self._stack.__aexit__(None, None, None)
        if commit and self._committed:
            self._core.tell(sorted(self._committed))

    def _name(self) -> str:
        if self._purpose:
            return self._purpose
        names = ", ".join(str(getattr(t, "space_name", t)) for t in self._targets)
        task = asyncio.current_task()
        return f"the transaction of task {task.get_name() if task else '?'} over {names}"

    # -- the verbs -------------------------------------------------------------------------------

    def at(self, space: Any, domain: Domain | None = None) -> TransactionScope:
        """Return one space of this transaction, given as `Space`, name, id or store.

        One that was not named when the transaction was opened is locked by its first step; where
        that could deadlock and somebody holds it, the step raises a retryable `ConflictError`:
        roll back and begin again (`Database.run_transaction` does).
        """
        target = getattr(space, "space", space)
        if domain is None:
            domain = getattr(space, "domain", None)
        if domain is None:
            held = self._spaces.holding(target)
            domain = None if held is None else self._domains.get(held.space_id)
        return self._scope_type(self, target, domain)

    async def enter(self, target: SpaceLike) -> Space:
        """Return a space of this transaction, locked from here on if it was not yet.

        A name that does not exist is made a space, which goes with the transaction's rollback.
        """
        self._check()
        held = self._spaces.holding(target)
        return held or await self._spaces.take(await self._spaces.make(target))

    async def look(self, target: SpaceLike) -> Space | None:
        """As `enter`, but a name that does not exist stays so, and gives None."""
        self._check()
        if (held := self._spaces.holding(target)) is not None:
            return held
        space = await self._spaces.find(target)
        return None if space is None else await self._spaces.take(space)

    def rehearse(self, target: SpaceLike, work: Execute | Append) -> list[Commit]:
        """Run a step on an empty space that is not there; nothing is written.

        Raises:
            SpaceNameError: No space can be made of this name.
        """
        name = validate_space_name(target.space_name if isinstance(target, Space) else target)
        return try_empty(unregistered(name), work, self._core.clock())

    def _only(self) -> TransactionScope:
        if len(self._targets) != 1:
            raise MisuseError(
                f"the transaction spans {len(self._targets)} spaces; say which: tx.at(name)"
            )
        return self.at(self._targets[0])

    def part(self, datatype: DataType) -> Partition:
        """See `TransactionScope.part`."""
        return self._only().part(datatype)

    @property
    def pstate(self) -> TransactionPState:
        """See `TransactionScope.pstate`."""
        return self._only().pstate

    async def execute(self, command: Command, params: Any = None, **options: Any) -> Commit:
        """See `TransactionScope.execute`."""
        return await self._only().execute(command, params, **options)

    async def execute_many(
        self, commands: Iterable[tuple[Command, Any]], **options: Any
    ) -> list[Commit]:
        """See `TransactionScope.execute_many`."""
        return await self._only().execute_many(commands, **options)

    async def append(
        self, entity_id: str, event_type: str, payload: Mapping[str, Any], **options: Any
    ) -> Event:
        """See `TransactionScope.append`."""
        return await self._only().append(entity_id, event_type, payload, **options)

    async def append_many(self, new_events: Iterable[NewEvent], **options: Any) -> list[Event]:
        """See `TransactionScope.append_many`."""
        return await self._only().append_many(new_events, **options)

    async def append_if(self, new_events: Iterable[NewEvent], **options: Any) -> list[Event]:
        """See `TransactionScope.append_if`."""
        return await self._only().append_if(new_events, **options)

    @property
    def connection(self) -> AsyncConnection:
        """The connection of this transaction, for statements of your own that commit with it."""
        self._check()
        assert self._connection is not None
        return self._connection

    # -- running on the connection ---------------------------------------------------------------

    async def run(self, work: Callable[[Executor], T]) -> T:
        """Run work on the transaction's connection; a storage error fails the transaction."""
        self._check()
        assert self._connection is not None
        backend = self._core.backend
        tables, lineages = backend.tables, backend.lineages
        try:
            return await self._connection.run_sync(
                lambda c: work(CoreExecutor(c, tables, lineages))
            )
        except (StorageError, ConnectionLostError, asyncio.CancelledError) as error:
            self._failure = error
            raise

    async def run_job(self, space: Space, domain: Domain, work: Execute | Append) -> list[Commit]:
        """Decide and write one step under the lock that is held."""
        if self._core.watch is None:
            return await self._run_job(space, domain, work)
        name = "execute" if isinstance(work, Execute) else "append"
        with self._core.watch.operation(name, space.space_name) as operation:
            commits = await self._run_job(space, domain, work)
            operation.facts["events"] = sum(len(commit.events) for commit in commits)
            return commits

    async def _run_job(self, space: Space, domain: Domain, work: Execute | Append) -> list[Commit]:
        core = self._core
        future: asyncio.Future[list[Commit]] = asyncio.get_running_loop().create_future()
        job = Job(space.space_id, space.space_name, work, future)

        def step(ex: Executor) -> Attempt:
            seen = {space.space_id: (None, 0)}
            attempt = Attempt([Trial(job)], seen, b"", core.clock(), locked=True)
            run_batch(ex, attempt)
            if attempt.again:
                raise StorageError(f"the lock of space {space.space_name!r} was lost")
            return attempt

        while True:
            attempt = await self.run(step)
            notice(attempt.units, core.write_back.add)
            answer = attempt.answered[0]
            if not isinstance(answer.error, StateBehindError):
                break
            await self._fold_gap(space, domain)
            await self._project_gap(space, domain)
        if answer.error is not None:
            raise answer.error
        self._committed.add(space.space_id)
        return answer.commits

    async def read(
        self, space: Space, domain: Domain | None, keys: Sequence[str]
    ) -> dict[str, Packed | None]:
        """Read packed values under the lock, with the gap folded where the domain is known."""
        while True:
            facts = (await self.run(lambda ex: read_facts(ex, {space.space_id: keys})))[
                space.space_id
            ]
            behind = facts.guard.checkpoint != facts.guard.last_sequence
            if behind and domain is None:
                base = await self.run(lambda ex: base_of(ex, space.space_id))
                behind = facts.guard.checkpoint < base
            if not behind:
                return facts.values
            await self._fold_gap(space, domain or NO_DOMAIN)

    async def _fold_gap(self, space: Space, domain: Domain) -> None:
        core = self._core
        page = core.options.page
        while await self.run(lambda ex: fold_gap(ex, space, domain, page, core.clock())) == page:
            pass

    async def _project_gap(self, space: Space, domain: Domain) -> None:
        core = self._core
        page = core.options.page
        if not domain.projections.inline:
            return
        while await self.run(lambda ex: project_gap(ex, space, domain, page, core.clock())):
            pass

    def _check(self) -> None:
        if self._state == "closed":
            raise ClosedError("the transaction has ended")
        if self._failure is not None:
            raise TransactionFailedError(_BROKEN) from self._failure
        if self._state == "open" and asyncio.current_task() is not self._task:
            raise NestedTransactionError(
                "a transaction belongs to the task that opened it; let that task do its steps"
            )


_BROKEN = "an earlier step failed in the database; the transaction can only be rolled back"


def ensure_begun(ex: Executor) -> None:
    """Begin for real where a handed-in engine leaves BEGIN to the driver."""
    begin = getattr(ex, "begin_immediate", None)
    if ex.tables.dialect == "sqlite" and begin is not None:
        begin()
