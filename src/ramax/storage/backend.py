"""What the runtime needs of a database: units of work, reads, and connections for transactions."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.storage.append_postgres import write_postgres
from ramax.storage.append_sqlite import write_sqlite
from ramax.storage.executors import AddingExecutor, Executor
from ramax.storage.notifications import Heard, Listener
from ramax.storage.own_writes import OwnWrites
from ramax.storage.plan import EventIds, WritePlan
from ramax.storage.tables import Tables

T = TypeVar("T")
Done = Callable[[BaseException | None], None]


class Reading(Protocol):
    """One state of the database, kept while others write."""

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads of that state, one at a time, the caller's duty."""
        ...


class Backend(Protocol):
    """One database, opened; connections are the backend's own, work comes as functions."""

    tables: Tables

    lineages: dict[int, Any]
    """What this process knows of where spaces come from; see `lineage`."""

    one_writer: bool
    """Writes need the only writing connection: explicit transactions must take turns with it."""

    one_connection: bool
    """Reads need it as well (in memory)."""

    local_reads: bool
    """A read costs no round trip: no need to find out first what a batch will read."""

    @property
    def batches(self) -> int:
        """How many batches, of different spaces, may be on their way at once."""
        ...

    def widen(self) -> None:
        """Hear that one more batch could be on its way; where it can, there is room for it soon."""
        ...

    @property
    def own_writes(self) -> OwnWrites | None:
        """Who holds the only writer by a transaction of his own; None where there are several."""
        ...

    @property
    def listener(self) -> Callable[[Heard], Listener] | None:
        """What makes an ear for other processes' hints; None where there are none."""
        ...

    def post(self, work: Callable[[Executor], object], done: Done) -> None:
        """Start a unit of work on a writing connection; at most `batches`, the caller's duty.

        ``done`` is called on the event loop with the error, or None once it is committed.
        """
        ...

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads of one snapshot (SQLite) or of autocommit statements (PostgreSQL)."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """Keep one state of the database for a block; the first read decides which.

        On a connection of its own, of which there are few; where there is `one_connection` on
        that, so the caller must have its turn.

        Raises:
            StorageBusyError: So many are open, for longer than the lock timeout.
        """
        ...

    async def locked(self, work: Callable[[Executor], T]) -> T:
        """Run work in a transaction of its own that may lock rows and write anything.

        Raises:
            ConnectionLostError: The connection broke before the commit; nothing was written.
            CommitUnknownError: It broke at the commit.
        """
        ...

    async def connection(self) -> AsyncConnection:
        """Return a connection for an explicit transaction; give it back with `release`."""
        ...

    async def release(self, connection: AsyncConnection) -> None:
        """Take back what `connection` gave."""
        ...

    async def close(self) -> None:
        """Close every connection the backend holds."""
        ...


def write_plan(ex: Executor, plan: WritePlan) -> dict[int, EventIds]:
    """Write a plan the way that the database does it best; see the two modules."""
    if ex.tables.dialect == "postgresql":
        return write_postgres(ex, plan)
    return write_sqlite(cast("AddingExecutor", ex), plan)
