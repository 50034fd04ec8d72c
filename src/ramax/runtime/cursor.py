"""The checkpoint of a subscription as its reader knows it: moved from there by compare-and-set."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.errors import ClosedError, MisuseError, SpaceNotFoundError, SubscriptionLostError
from ramax.runtime.core import Core
from ramax.runtime.transaction import ensure_begun
from ramax.storage import cursors
from ramax.storage.cursors import Owner, Place, Position, over_all
from ramax.storage.executors import CoreExecutor, Executor
from ramax.storage.subscriptions import Key
from ramax.values import Event


def reader_name(key: Key, partitions: int) -> str:
    """Return the name of a subscription's checkpoint: each partition has one of its own."""
    return key.name if partitions == 1 else f"{key.name}/{key.partition}"


class Cursor:
    """Where a reader is: at ``acked``, unless a transaction moved it whose end is unknown here."""

    def __init__(self, core: Core, key: Key, partitions: int, of: str) -> None:
        self._core, self._key, self._of = core, key, of
        self.name = reader_name(key, partitions)
        self.acked = Place(0)
        self._perhaps: list[Place] = []
        self._within: object = None  # the transaction of the caller's that moved it last

    @property
    def certain(self) -> bool:
        """Whether it is known where the checkpoint is."""
        return not self._perhaps

    @property
    def position(self) -> int:
        """The newest position that is acknowledged, or will be when a transaction commits."""
        return self._newest.at

    @property
    def _newest(self) -> Place:
        return self._perhaps[-1] if self._perhaps else self.acked

    def may_be(self, at: Place) -> bool:
        """Say whether the checkpoint may be there by what this reader has done."""
        return at == self.acked or at in self._perhaps

    def begin(self, ex: Executor, at: int) -> None:
        """Write the first checkpoint, in the transaction of ``ex``, unless there is one."""
        cursors.begin(ex, self._key.space_id, self.name, at, self._core.clock())

    def read(self, ex: Executor) -> Place | None:
        """Read the checkpoint, None if there is none."""
        return cursors.read(ex, self._key.space_id, self.name)

    def settle(self, at: Place) -> None:
        """Note where the checkpoint is for certain."""
        self.acked, self._perhaps, self._within = at, [], None

    def confirm(self, at: Place) -> None:
        """Note that a transaction is committed that moved it to ``at``, if it was not further."""
        self.settle(max(at, self.acked))
        self._core.arrivals.moved(self._key.space_id, self.name)

    def doubt(self, at: Place, within: object = None) -> None:
        """Note that it is where it was, or at ``at`` if a transaction was committed."""
        self._perhaps.append(at)
        self._within = within

    def move(
        self,
        ex: Executor,
        at: Place,
        event: Event | None,
        *,
        within: object = None,
        again: bool = True,
    ) -> None:
        """Move the checkpoint in the transaction of ``ex``; `confirm` once that is committed.

        Args:
            event: The one behind which it is then, None if that is not known.
            again: It may be there already, by a transaction whose end was not known. If not, it
                is moved in any case, and be it by nothing: nobody else can then do the same.

        Raises:
            SubscriptionLostError: It is not where this reader left it, or no longer its own.
            SpaceNotFoundError: The space was deleted.
        """
        doubtful = not self.certain
        expected = self._left(ex, within)
        if expected >= at:  # it never goes back
            if again:
                return
            if doubtful:
                raise self._lost(expected)
            at, event = expected, None
        event_id = None if event is None else event.event_id
        now = self._core.clock()
        by = Owner(self._core.leases.owner, self._key.name, self._key.partition)
        to = Position(self._key.space_id, self.name, at)
        if not cursors.move(ex, to, expected=expected, by=by, event_id=event_id, now=now):
            raise self._lost(self.read(ex))

    def _left(self, ex: Executor, within: object) -> Place:
        """Find out where this reader left the checkpoint."""
        if not self._perhaps:
            return self.acked
        actual = self.read(ex)
        if actual is None or actual not in (self.acked, *self._perhaps):
            raise self._lost(actual)
        if within is None or within is not self._within:
            self.settle(actual)  # that transaction has ended, like this
        return actual

    def _lost(self, actual: Place | None) -> SpaceNotFoundError | SubscriptionLostError:
        if actual is None:
            return SpaceNotFoundError(self._of)
        where = "all spaces" if over_all(self._key.space_id) else f"space {self._of!r}"
        left = self._newest
        if not left.parts and not actual.parts:
            return SubscriptionLostError(self._key.name, where, left.at, actual.at)
        return SubscriptionLostError(self._key.name, where, left, actual)

    async def move_alone(
        self, at: Place, event: Event | None, work: Callable[[Executor], object] | None = None
    ) -> None:
        """Move the checkpoint in a transaction of its own, with what ``work`` writes."""

        def step(ex: Executor) -> None:
            self.move(ex, at, event)
            if work is not None:
                work(ex)

        await self._core.locked(f"the checkpoint of {self._key.name!r}", step)
        self.confirm(at)

    async def move_on(self, connection: AsyncConnection, at: Place, event: Event | None) -> None:
        """Move the checkpoint in the transaction that is open on the caller's connection.

        Raises:
            MisuseError: There is none.
        """
        if self._core.closed:
            raise ClosedError("the database is closed")
        if not isinstance(connection, AsyncConnection):
            raise MisuseError(f"ack needs SQLAlchemy's AsyncConnection, got {connection!r:.80}")
        if not connection.in_transaction():
            raise MisuseError("ack needs an open transaction: async with connection.begin(): …")
        backend = self._core.backend

        def work(sync_connection: sa.Connection) -> None:
            ex = CoreExecutor(sync_connection, backend.tables, backend.lineages)
            ensure_begun(ex)
            within = sync_connection.get_transaction()
            self.move(ex, at, event, within=within)
            self.doubt(at, within)

        await connection.run_sync(work)
