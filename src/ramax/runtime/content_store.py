"""One space with one domain: commands in, events and read model out."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import Command, Domain
from ramax.core.expectation import ExpectedVersion
from ramax.core.projections import Projection
from ramax.core.reactions import ReactionRule
from ramax.core.sync.record import DISCARDED
from ramax.errors import ClosedError, DataError, MisuseError
from ramax.runtime import (
    catchup,
    commands,
    projection_runner,
    reactions,
    rebuild,
    reprojection,
    subscribing,
    waiting,
)
from ramax.runtime.access import StoreAccess
from ramax.runtime.checkpoints import CheckpointRepository
from ramax.runtime.consumer import OnError
from ramax.runtime.core import Core, SpaceLike, unregistered
from ramax.runtime.findings import SpaceReport
from ramax.runtime.partition import Partition
from ramax.runtime.past import Past
from ramax.runtime.pstate import SpacePState
from ramax.runtime.snapshots import SpaceSnapshots
from ramax.runtime.space_events import SpaceEvents
from ramax.runtime.state_migration import MigrationReport, migrate_state
from ramax.runtime.subscription import Subscription
from ramax.runtime.terms import Start, Terms
from ramax.runtime.transaction import Transaction, domain_key
from ramax.runtime.verify import verify_space
from ramax.storage.reads import PSTATE
from ramax.values import ChainHead, Commit, Event, Progress, Space


class ContentStore:
    """A cheap, immutable handle on one space and the domain that folds it; share it freely."""

    __slots__ = ("_core", "domain", "events", "pstate", "snapshots", "space")

    _transaction_type: ClassVar[type[Transaction]] = Transaction
    _past_type: ClassVar[type[Past]] = Past

    _core: Core
    space: Space
    domain: Domain | None
    events: SpaceEvents
    pstate: SpacePState
    snapshots: SpaceSnapshots

    def __init__(self, core: Core, space: Space, domain: Domain | None) -> None:
        put = object.__setattr__
        put(self, "_core", core)
        put(self, "space", space)
        put(self, "domain", domain)
        put(self, "events", SpaceEvents(core, space, domain))
        put(self, "pstate", SpacePState(core, space, domain))
        put(self, "snapshots", SpaceSnapshots(core, space, domain))

    def __setattr__(self, name: str, value: object) -> None:
        raise MisuseError(f"a store is immutable, cannot set {name}; open another one")

    def __repr__(self) -> str:
        domain = self.domain.name if self.domain else None
        return f"<ContentStore {self.space.space_name!r} id={self.space.space_id} domain={domain}>"

    async def execute(
        self,
        command: Command,
        params: Any = None,
        *,
        expected_sequence: int | None = None,
        expected_version: Mapping[str, ExpectedVersion] | None = None,
        idempotency_key: str | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> Commit:
        """Decide a command on the current state and commit its events with the new state.

        Args:
            command: Pure ``(state, params) -> list[NewEvent]``; may run again after a conflict.
            expected_sequence: Fail unless the space is at this sequence.
            expected_version: Fail unless entities, by id, have that many events; ``"none"`` and
                ``"exists"`` are possible too.
            idempotency_key: At most 255 bytes; a repeat gets the first answer (``replayed``).

        Raises:
            Rejected: The command said no. Nothing was written, as with every error here but one:
            CommitUnknownError: PostgreSQL's connection broke and nobody can tell.
            ConcurrencyError: The space is not at ``expected_sequence``, or an entity not at its
                ``expected_version``.
            DomainMismatchError: The pstate of the space is the fold of another domain.
            DataError: An event or a value breaks a rule; the message names both.
        """
        commits = await commands.execute(
            self._core,
            self.space if self.space.space_id else await self._core.resolve(self.space),
            self.domain,
            ((command, params),),
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
            causation_id=causation_id,
            correlation_id=correlation_id,
        )
        return commits[0]

    async def execute_many(
        self,
        commands_: Iterable[tuple[Command, Any]],
        *,
        expected_sequence: int | None = None,
        expected_version: Mapping[str, ExpectedVersion] | None = None,
        idempotency_key: str | None = None,
        causation_id: int | None = None,
        correlation_id: str | None = None,
    ) -> list[Commit]:
        """Decide commands one after another as one unit: all are committed, or none.

        Args:
            commands_: Pairs of command and params; each decides on what the one before left.

        Returns:
            One commit for each command, same order.
        """
        pairs = commands.checked_commands(commands_)
        if not pairs:
            await self._core.present(self.space)
            return []
        return await commands.execute(
            self._core,
            await self._core.resolve(self.space),
            self.domain,
            pairs,
            expected_sequence=expected_sequence,
            expected_version=expected_version,
            idempotency_key=idempotency_key,
            causation_id=causation_id,
            correlation_id=correlation_id,
        )

    async def rebuild_pstate(self, *, progress: Callable[[Progress], object] | None = None) -> int:
        """Replace the read model by the fold of the whole history; writes go on meanwhile.

        Drops keys that ``put`` wrote and records this handle's domain as the space's.

        Returns:
            How many events were folded.

        Raises:
            FoldError: An applicator failed; the old read model stays.
        """
        self._core.check_caller()
        space = await self._core.resolve(self.space)
        if not space.space_id:  # `default` before its first write
            return 0
        return await rebuild.rebuild(self._core, space, self.domain or commands.NO_DOMAIN, progress)

    async def migrate_pstate(
        self, *, dry_run: bool = False, progress: Callable[[Progress], object] | None = None
    ) -> MigrationReport:
        """Bring every stored value to the shape that the domain declares; writes go on meanwhile.

        Reads do the same to what they meet, so this changes nothing that a reader sees.

        Args:
            dry_run: Change nothing and say what would change, get lost, or fail.
            progress: Called after each page, with keys.

        Raises:
            DomainMismatchError: The read model is the fold of other domains.
        """
        self._core.check_caller()
        space = await self._core.resolve(self.space)
        if not space.space_id:
            return MigrationReport(dry_run)
        domain = self.domain or commands.NO_DOMAIN
        return await migrate_state(self._core, space, domain, dry_run=dry_run, progress=progress)

    async def catchup_pstate(self) -> int:
        """Fold the events that the read model lacks; return how many there were."""
        self._core.check_caller()
        space = await self._core.resolve(self.space)
        if not space.space_id:
            return 0
        return await catchup.catch_up(self._core, space, self.domain or commands.NO_DOMAIN)

    async def verify(
        self,
        *,
        progress: Callable[[Progress], object] | None = None,
        anchor: ChainHead | None = None,
    ) -> SpaceReport:
        """Check that the space is what it must be, against an independent replay; write nothing.

        Sequences without a gap, events that can be read, the hash chain where there is one,
        checkpoints that fit, and with a domain the read model against a new fold of the events.

        Args:
            progress: Called after each page with events done: twice each where there is a domain.
            anchor: A `ChainHead` that was kept elsewhere; without it nobody can tell whether the
                whole chain was made anew.

        Returns:
            A report; ``ok`` says whether nothing was found.

        Raises:
            DomainMismatchError: The pstate is the fold of other domains.
        """
        self._core.check_caller()
        tell = None if progress is None else lambda _space, done: progress(done)
        space = await self._core.present(self.space)
        return await verify_space(self._core, space, self.domain, tell, anchor)

    async def rebuild(
        self, projection: str, *, progress: Callable[[Progress], object] | None = None
    ) -> int:
        """Make the rows of a projection anew from the whole history, for this space only.

        Readers see the old rows or the new ones. History is read beside live writes; while its
        rows are written, other writes to the space wait, on SQLite all writes. Reactions do not
        run again. An async projection that has paused at an event goes on.

        Args:
            projection: A name; ``"pstate"`` is `rebuild_pstate`.
            progress: Called after each page of events that is read.

        Returns:
            How many events were projected.

        Raises:
            ProjectionError: A handler failed; the old rows stay.
            MisuseError: The domain has no such projection.
        """
        if projection == PSTATE:
            return await self.rebuild_pstate(progress=progress)
        self._core.check_caller()
        domain = self.domain or commands.NO_DOMAIN
        found = domain.projections.get(projection)
        if found is None:
            raise MisuseError(f"domain {domain.name!r} has no projection {projection!r}")
        space = await self._core.resolve(self.space)
        if not space.space_id:
            return 0
        return await reprojection.rebuild(self._core, space, domain, found, progress)

    async def run_projections(
        self,
        *names: str,
        follow: bool = True,
        attempts: int = 5,
        poll_interval: float = 1.0,
        lease: float = 30.0,
    ) -> None:
        """Keep the async projections of the domain, or those named, up to date for this space.

        Each has a subscription of its name. Rows and checkpoint move in one transaction, for up to
        500 events at once. A handler that fails pauses its projection; mend it, and `rebuild` or
        resume it (`Database.subscriptions`). See `subscribe` for the arguments.

        Args:
            follow: Off, it ends where the log ends.
            attempts: How often the database is tried for one event.

        Raises:
            MisuseError: The domain has none, or none of such a name.
            SubscriptionPausedError: One is paused, and does not follow.
            ExceptionGroup: Several failed at the same time; one alone is raised as it is.
        """
        terms = Terms(0, follow, poll_interval=poll_interval, lease=lease)
        opener = subscribing.Opener(self._core, self.domain, self._transaction_type)

        def reader_of(projection: Projection) -> Subscription:
            types = {*projection.event_types}
            if projection.order != "any":
                types.add(DISCARDED)  # its rows are made anew without what is left out
            wanted = subscribing.only(types, None, ())
            return opener.to_space(self.space, projection.name, wanted, terms)

        await projection_runner.run(self._core, self.domain, names, reader_of, attempts)

    async def wait_for(
        self,
        projection: str = PSTATE,
        sequence: int | None = None,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109 - the error says what was waited for
    ) -> int:
        """Wait until a projection, or another named reader, has got to an event: read your writes.

        What the pstate and inline projections of the domain lack is folded at once. Others are
        waited for, in whatever process they run.

        Args:
            projection: The name of a projection, a subscription or another checkpoint.
            sequence: By default that of the newest event as of now.
            timeout: Seconds.

        Returns:
            The sequence at which it is.

        Raises:
            ProjectionBehindError: It did not get there in time.
            SpaceNotFoundError: The space was deleted.
        """
        waiter = waiting.Waiter(self._core, self.space, self.domain, projection)
        return await waiter.wait(sequence, timeout)

    def as_of(self, at: int | datetime) -> Past:
        """Look at the space as it was after an event, or at a moment: read model and events.

        Args:
            at: A sequence, 0 for before the first event; or a datetime with a time zone, which
                means: after the last event that is not later.

        Raises:
            DataError: It is neither, or negative, or naive. When it is awaited or first read:
                it lies beyond the newest event, or in the future.
            DomainMismatchError: When the read model is first read: it is another domain's fold.
            FoldError: Likewise: an applicator failed.
        """
        return self._past_type(self._core, self.space, self.domain, at)

    async def get_checkpoint(self, name: str = PSTATE) -> int:
        """Return the last sequence that a named reader finished, 0 if none."""
        return await CheckpointRepository(self._core).get(self.space, name)

    async def update_checkpoint(self, sequence: int, *, name: str) -> None:
        """Move the checkpoint of a reader of yours forward, never back or beyond the head.

        Raises:
            DataError: It would go back, or lie beyond the newest event.
            MisuseError: The name is ``pstate``, which only folding moves.
            ConcurrencyError: Somebody moved it in this moment.
        """
        self._check_not_projected(name)
        checkpoints = CheckpointRepository(self._core)
        current = 0 if name == PSTATE else await checkpoints.get(self.space, name)
        await checkpoints.advance(self.space, name, sequence, expected=current)

    def subscribe(  # noqa: PLR0913 - every option has a default and a name
        self,
        name: str,
        *,
        types: Iterable[str] | None = None,
        entities: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        start: Start = "beginning",
        follow: bool = True,
        buffer: int = 1000,
        poll_interval: float = 1.0,
        lease: float = 30.0,
    ) -> Subscription:
        """Read on under a name: ``async with store.subscribe("mailer") as s: async for e in s``.

        Args:
            name: Of the checkpoint; several readers have several names.
            types: Only events of these types.
            entities: Only events about these entities.
            tags: Only events that have all of these tags.
            start: Where a new name begins: ``"beginning"``, ``"now"``, or after a sequence. A name
                that has a checkpoint goes on there. A fork begins with its own events: 0 is
                before those that it was forked with, too.
            follow: Wait for more at the end; off, the loop ends there.
            buffer: Events in memory at most.
            poll_interval: Seconds after which new events are found that nobody told about.
            lease: Seconds after which another process takes over from one that is gone.

        Raises:
            DataError: An argument breaks a rule; at once.
            SpaceNotFoundError: The space was deleted; when the block is entered, or while reading.
        """
        self._check_not_projected(name)
        terms = Terms(start, follow, buffer, poll_interval, lease)
        wanted = subscribing.only(types, entities, tags)
        opener = subscribing.Opener(self._core, self.domain, self._transaction_type)
        return opener.to_space(self.space, name, wanted, terms)

    async def run_reactions(
        self,
        *,
        start: Start = "beginning",
        follow: bool = True,
        on_error: OnError = "pause",
        attempts: int = 5,
        poll_interval: float = 1.0,
        lease: float = 30.0,
    ) -> None:
        """Run what the domain's reactions do, for the events of this space.

        Each has a subscription of its own, under its name; see `subscribe` and `Subscription.run`
        for the arguments. ``start="now"`` where new reactions shall not be about the past.

        Raises:
            MisuseError: The domain has none.
        """

        def subscription_of(rule: ReactionRule, _partition: int) -> Subscription:
            return self.subscribe(
                rule.name,
                types=rule.event_types,
                start=start,
                follow=follow,
                poll_interval=poll_interval,
                lease=lease,
            )

        async def store_of(_event: Event) -> ContentStore:
            return self

        await reactions.run(
            self.domain, subscription_of, store_of, on_error=on_error, attempts=attempts
        )

    def transaction(self) -> Transaction:
        """Open a transaction over this space: ``async with store.transaction() as tx``."""
        return self._transaction_type(self._core, [self.space], self._domains())

    def join(self, connection: AsyncConnection) -> Transaction:
        """Take part in the transaction that is open on the caller's own connection.

        ``async with store.join(connection) as tx``, or ``tx = await store.join(connection)``:
        what it writes is committed, or rolled back, by the caller.

        Raises:
            MisuseError: It is no async connection, has no transaction open, or is in AUTOCOMMIT.
        """
        if self._core.closed:
            raise ClosedError("the database is closed")
        if not isinstance(connection, AsyncConnection):
            raise MisuseError(f"join needs SQLAlchemy's AsyncConnection, got {connection!r}")
        if not connection.in_transaction():
            raise MisuseError("join needs an open transaction: async with connection.begin(): …")
        # SQLAlchemy knows, but has no public way to ask
        if connection.sync_connection._is_autocommit_isolation():  # type: ignore[union-attr]  # noqa: SLF001
            raise MisuseError("join needs a transaction, and this connection is in AUTOCOMMIT")
        return self._transaction_type(
            self._core, [self.space], self._domains(), _connection=connection, _joined=True
        )

    def at(self, space: SpaceLike) -> Self:
        """Return a view of another space, with this store's domain; nothing is looked up.

        A name that does not exist is an empty space, which its first write makes. Each call
        through such a view looks the name up; a store that `content_store` opened does not.

        Raises:
            SpaceNameError: The name is reserved.
            DataError: It is no `Space` and no name.
        """
        if isinstance(space, str):
            space = unregistered(space)
        if not isinstance(space, Space):
            raise DataError("space", space, "give a Space or its name")
        return type(self)(self._core, space, self.domain)

    def part(self, datatype: DataType) -> Partition:
        """Return what a data type keeps in this space."""
        return Partition(StoreAccess(self._core, self.space, self.domain), datatype)

    def _check_not_projected(self, name: str) -> None:
        if self.domain is None or not isinstance(name, str):
            return  # what is no name at all is refused by whoever takes it
        if self.domain.projections.get(name) is not None:
            raise MisuseError(f"{name!r} is a projection of the domain, which moves it itself")

    def _domains(self) -> dict[int | str, Domain]:
        return {} if self.domain is None else {domain_key(self.space): self.domain}
