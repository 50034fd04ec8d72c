"""One open database: its repositories, and the way to stores and transactions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ramax.core.domain import Domain
from ramax.core.observer import Observer
from ramax.core.reactions import ReactionRule
from ramax.errors import ClosedError, ConflictError, DataError, MisuseError, StorageBusyError
from ramax.runtime import reactions, subscribing, text_worker
from ramax.runtime.branch_core import BranchCore
from ramax.runtime.checkpoints import CheckpointRepository
from ramax.runtime.consumer import OnError
from ramax.runtime.content_store import ContentStore
from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.event_log import EventLog
from ramax.runtime.findings import SpaceReport
from ramax.runtime.pstate_repository import PStateRepository
from ramax.runtime.spaces import SpaceRegistry
from ramax.runtime.subscription import Subscription
from ramax.runtime.subscriptions import SubscriptionRepository
from ramax.runtime.terms import Start, Terms
from ramax.runtime.transaction import Transaction, domain_key
from ramax.runtime.verify import OnProgress, verify
from ramax.storage import migrate, projections, spaces
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError, translated
from ramax.storage.schema import schema_state
from ramax.values import ChainHead, Event, Space

T = TypeVar("T")


class Database:
    """One database with its spaces; open it once per process and share it.

    ``engine`` is yours for your own tables. In memory there is one connection: lend it with
    `connection`.
    """

    _store_type: ClassVar[type[ContentStore]] = ContentStore
    _transaction_type: ClassVar[type[Transaction]] = Transaction
    _registry_type: ClassVar[type[SpaceRegistry]] = SpaceRegistry

    def __init__(self, core: Core, engine: AsyncEngine, *, owns_engine: bool) -> None:
        self._core, self._owns_engine = core, owns_engine
        self.engine = engine
        self.spaces = self._registry_type(core)
        self.events = EventLog(core)
        self.pstate = PStateRepository(core)
        self.checkpoints = CheckpointRepository(core)
        self.subscriptions = SubscriptionRepository(core)

    def at_branch(self, name: str) -> Self:
        """Return this database as a branch sees it: its spaces, stores, transactions and feeds.

        The name is looked up by the first call that needs it. The view is not to be closed.

        Raises:
            BranchNotFoundError: There is no such branch; by the first call.
        """
        return type(self)(BranchCore(self._core.root, name), self.engine, owns_engine=False)

    async def content_store(
        self,
        space: SpaceLike = "default",
        domain: Domain | None = None,
        *,
        create: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> ContentStore:
        """Open a space with the domain that folds it.

        Args:
            space: A `Space`, a name or an id; a name that does not exist is created.
            create: Off: a missing space raises instead.
            metadata: For a new space; stored metadata wins.

        Raises:
            SpaceNotFoundError: ``create`` is off, or an id was given, and there is no such space.
            SpaceNameError: A new space may not have this name.
        """
        domain = _checked(domain)
        self._core.know(domain)
        found = await self._open(space, metadata, create=create)
        return self._store_type(self._core, found, domain)

    async def _open(
        self, space: SpaceLike, metadata: Mapping[str, Any] | None, *, create: bool
    ) -> Space:
        if create and isinstance(space, str):
            return await self._core.get_or_create(space, metadata)
        return await self._core.present(space)

    async def run_text_index(self, *spaces: SpaceLike, poll_interval: float = 1.0) -> None:
        """Index the texts of spaces that are searched with ``mode="async"``, until cancelled.

        Any number of processes may do it. What was not indexed when one dies waits for the next.

        Args:
            spaces: Only these; of all that are searched so unless given.
            poll_interval: Seconds after which changes are found that nobody told about.

        Raises:
            SpaceNotFoundError: There is no such space.
            DataError: The interval is not above 0.
        """
        if not poll_interval > 0:
            raise DataError("poll_interval", poll_interval, "must be above 0")
        chosen = [await self._core.present(space) for space in spaces]
        await text_worker.run(self._core, chosen, poll_interval)

    def subscribe_all(  # noqa: PLR0913 - every option has a default and a name
        self,
        name: str,
        *,
        domain: Domain | None = None,
        types: Iterable[str] | None = None,
        entities: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        start: Start = "beginning",
        follow: bool = True,
        partitions: int = 1,
        partition: int = 0,
        buffer: int = 1000,
        poll_interval: float = 1.0,
        lease: float = 30.0,
    ) -> Subscription:
        """Read all spaces under one name, new ones included, in one order by event id.

        The order within each space is that of its sequence. An open transaction that has appended
        holds the order back; after 5 s it is named in a warning. The arguments are those of
        `ContentStore.subscribe`, and:

        Args:
            domain: What brings old events to today's shape, and what ``s.transaction(event)``
                folds with.
            start: ``"beginning"``, ``"now"``, or after an event id.
            partitions: Into how many parts the spaces are divided, fixed by the first use of the
                name. Each part has a checkpoint and an owner of its own; start a reader for each.
            partition: Which part this reader reads: spaces whose id leaves this number.

        Raises:
            DataError: An argument breaks a rule, or the name has another number of partitions.
        """
        terms = Terms(start, follow, buffer, poll_interval, lease, partitions)
        wanted = subscribing.only(types, entities, tags)
        opener = subscribing.Opener(self._core, _checked(domain), self._transaction_type)
        return opener.to_all(name, wanted, terms, partition)

    async def run_reactions(
        self,
        domain: Domain,
        *,
        start: Start = "beginning",
        follow: bool = True,
        partitions: int = 1,
        on_error: OnError = "pause",
        attempts: int = 5,
        poll_interval: float = 1.0,
        lease: float = 30.0,
    ) -> None:
        """Run what a domain's reactions do, for the events of all spaces.

        See `subscribe_all` and `ContentStore.run_reactions`. ``partitions`` work at the same time.
        """
        _checked(domain)

        def subscription_of(rule: ReactionRule, partition: int) -> Subscription:
            return self.subscribe_all(
                rule.name,
                domain=domain,
                types=rule.event_types,
                start=start,
                follow=follow,
                partitions=partitions,
                partition=partition,
                poll_interval=poll_interval,
                lease=lease,
            )

        async def store_of(event: Event) -> ContentStore:
            return self._store_type(self._core, await self._core.present(event.space_id), domain)

        await reactions.run(
            domain,
            subscription_of,
            store_of,
            partitions=partitions,
            on_error=on_error,
            attempts=attempts,
        )

    def transaction(self, *spaces: Any) -> Transaction:
        """Open a transaction over several spaces: ``async with db.transaction("a", "b") as tx``.

        Args:
            spaces: Each a `Space`, name, id or store; locked in id order when the block begins.
        """
        return self._transaction(spaces, ())

    def _transaction(self, spaces: Sequence[Any], also: Sequence[Space]) -> Transaction:
        if not spaces:
            raise MisuseError('name the spaces of the transaction: db.transaction("a", "b")')
        domains = {
            domain_key(each.space): each.domain
            for each in spaces
            if getattr(each, "domain", None) is not None
        }
        targets = [getattr(each, "space", each) for each in spaces]
        return self._transaction_type(self._core, targets, domains, _also=also)

    async def run_transaction(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        *spaces: Any,
        attempts: int = 10,
    ) -> T:
        """Run ``work(tx)`` in a transaction, again from the start where a conflict is retryable.

        What a try finds out that it needs is locked from the beginning by the next one, so a
        conflict over spaces that were not named does not come twice.

        Raises:
            ConflictError, StorageBusyError: It still failed at the last attempt.
        """
        also: Sequence[Space] = ()
        while True:
            attempts -= 1
            tx = self._transaction(spaces, also)
            try:
                async with tx:
                    return await work(tx)
            except (ConflictError, StorageBusyError) as error:
                if not error.retryable or attempts <= 0:
                    raise
            also = list(tx.wanted.values())

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for statements of your own and for `ContentStore.join`.

        In memory it is the only one, and nothing else runs until the block ends.
        """
        self._core.check_caller()
        if not self._core.backend.one_connection:
            async with self.engine.connect() as connection:
                yield connection
            return
        async with self._core.turns.take("db.connection()"):
            connection = await self._core.backend.connection()
            try:
                yield connection
            finally:
                await self._core.backend.release(connection)

    def verify(
        self,
        space: SpaceLike | None = None,
        domain: Domain | None = None,
        progress: OnProgress | None = None,
        *,
        anchor: ChainHead | None = None,
    ) -> AsyncIterator[SpaceReport]:
        """Verify one space, or each, hidden ones too, by id; yield a report as each is done.

        Nothing is written, and writers may go on. `ContentStore.verify` says what is checked.

        Args:
            domain: Folds the events anew; without it the pstate is not compared. Of several
                spaces, those whose pstate is the fold of other domains are not compared either.
            progress: Called after each page with the space and how far it has come.
            anchor: A hash of the chain of ``space`` that was kept elsewhere.

        Raises:
            SpaceNotFoundError: There is no such space.
            DomainMismatchError: The pstate of ``space`` is the fold of other domains.
        """
        return verify(self._core, space, domain, progress, anchor)

    async def clean_projections(self, domain: Domain) -> int:
        """Delete what a domain's projections hold of spaces that are gone.

        There is something only where a process deleted a space without knowing the domain. Nobody
        sees such rows: the id of a deleted space is never used again.

        Returns:
            Of how many spaces there were rows.
        """
        self._core.check_caller()
        tables = [table for projection in domain.projections for table in projection.tables]

        def look(ex: Executor) -> list[int]:
            found = {i for table in tables for i in projections.spaces_in(ex, table)}
            return sorted(found - spaces.ids_everywhere(ex))

        gone = await self._core.read(look)
        for space_id in gone:
            await self._core.locked(
                f"rows of space {space_id}, which is gone",
                partial(projections.empty, tables=tables, space_id=space_id),
            )
        return len(gone)

    async def upgrade(self) -> None:
        """Bring the schema to head; does nothing where it is there."""
        self._core.check_caller()
        if not self._core.backend.one_connection:  # a database in memory was made at head
            await migrate.upgrade(self.engine, schema=self._core.backend.tables.metadata.schema)

    async def current_revision(self) -> str | None:
        """Return the revision that the database is stamped with, None without a stamp."""
        try:
            return await self._revision()
        except sa.exc.SQLAlchemyError as error:  # it only reads: over a lost session, once more
            if not isinstance(fault := translated(error), ConnectionLostError):
                raise fault from error
        return await self._revision()

    async def _revision(self) -> str | None:
        async with self.connection() as connection:
            state = await schema_state(connection, self._core.backend.tables.metadata.schema)
        return state.revision

    def observe(self, observer: Observer | None) -> None:
        """Tell an observer what this database does, in place of the one before; None: nobody.

        `ramax.telemetry.instrument` makes OpenTelemetry of it.
        """
        self._core.check_caller()
        if observer is not None and not isinstance(observer, Observer):
            raise MisuseError(f"an observer is an Observer, got {type(observer).__name__}")
        self._core.observe(observer)

    async def close(self) -> None:
        """Wait for what was accepted, refuse what comes later, close every connection."""
        if self._core.closed or self._core.root is not self._core:
            return
        self._core.check_caller()  # a transaction of this task would never end
        await self._core.close()
        self._core.observe(None)
        if self._owns_engine:
            await self.engine.dispose()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._core.closed

    def __repr__(self) -> str:
        url = self.engine.url.render_as_string(hide_password=True)
        return f"<Database {url}{' closed' if self.closed else ''}>"

    async def __aenter__(self) -> Self:
        if self._core.closed:
            raise ClosedError("the database is closed; connect again")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _checked(domain: Domain | None) -> Domain | None:
    if domain is not None:
        if not isinstance(domain, Domain):
            raise MisuseError(f"domain must be a Domain, got {type(domain).__name__}")
        domain.freeze()
    return domain
