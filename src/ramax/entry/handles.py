"""The public handles: those of the runtime, with the clients of the features."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.branches import Branches
from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import Domain
from ramax.entry.features import DataTypes, replica_of, secrets_of
from ramax.entry.operations import run_operation
from ramax.entry.registry import SpaceRegistry
from ramax.entry.searching import Searching
from ramax.errors import DataError
from ramax.runtime import (
    content_store,
    database,
    past,
    scope,
    spaces,
    text_search,
    transaction,
)
from ramax.runtime.core import SpaceLike
from ramax.runtime.partition import Partition
from ramax.runtime.past_access import PastAccess
from ramax.runtime.text_past import search_past
from ramax.runtime.text_search import AllSpaces, Wish
from ramax.secrets.client import Secrets
from ramax.sync.replica import Replica
from ramax.values import SearchHit

T = TypeVar("T")


class TransactionScope(DataTypes, Searching, scope.TransactionScope):
    """One space inside a transaction; locked by its first step if it was not named before."""

    __slots__ = ()

    async def _matching(self, wish: Wish) -> list[SearchHit]:
        return await text_search.search_inside(self._tx, self._target, self.domain, wish)

    def _where(self) -> str:
        return self.name


class Transaction(DataTypes, Searching, transaction.Transaction):
    """All or nothing, for one task and one block.

    Locks its spaces when it begins, in id order; a name that does not exist is made a space. A
    storage error fails it for good; a command's "no" does not. With one space its verbs are the
    transaction's own.
    """

    _scope_type: ClassVar[type[scope.TransactionScope]] = TransactionScope

    def at(self, space: Any, domain: Domain | None = None) -> TransactionScope:
        """Return one space of this transaction, given as `Space`, name, id or store.

        One that was not named when the transaction was opened is locked by its first step; where
        that could deadlock and somebody holds it, the step raises a retryable `ConflictError`:
        roll back and begin again (`Database.run_transaction` does). A name that does not exist
        is an empty space, which the first write makes.
        """
        return cast("TransactionScope", super().at(space, domain))

    async def _matching(self, wish: Wish) -> list[SearchHit]:
        only = self._only()
        return await text_search.search_inside(self, self._targets[0], only.domain, wish)

    def _where(self) -> str:
        return self._only().name


class Past(DataTypes, Searching, past.Past):
    """A space after one of its events; read-only, and never changing.

    Use it at once, ``await`` it to have the point checked and `sequence` known, or use it in
    ``async with``, which closes it. The read model is folded when it is first read, and kept, in
    memory up to ``rebuild_memory`` of `connect` and beyond that in a temporary file.
    """

    def part(self, datatype: DataType) -> Partition:
        """Return what a data type kept in the space at that point."""
        return Partition(PastAccess(self), datatype)

    async def _matching(self, wish: Wish) -> list[SearchHit]:
        return await search_past(self, wish)

    def _where(self) -> str:
        return self.space.space_name


class ContentStore(DataTypes, Searching, content_store.ContentStore):
    """A cheap, immutable handle on one space and the domain that folds it; share it freely."""

    __slots__ = ()

    _transaction_type: ClassVar[type[transaction.Transaction]] = Transaction
    _past_type: ClassVar[type[past.Past]] = Past

    @property
    def secrets(self) -> Secrets:
        """Sealed values, outside the log and the read model; see `connect` for ``keys``."""
        return secrets_of(self._core, self.space)

    @property
    def replica(self) -> Replica:
        """What makes the space one of several copies, here and elsewhere; see `Replica`."""
        return replica_of(self._core, self.space, self.domain)

    def as_of(self, at: int | datetime) -> Past:
        """Look at the space as it was after an event, or at a moment: read model, data and events.

        Args:
            at: A sequence, 0 for before the first event; or a datetime with a time zone, which
                means: after the last event that is not later.

        Raises:
            DataError: It is neither, or negative, or naive. When it is awaited or first read:
                it lies beyond the newest event, or in the future.
            DomainMismatchError: When the read model is first read: it is another domain's fold.
            FoldError: Likewise: an applicator failed.
        """
        return cast("Past", super().as_of(at))

    async def _matching(self, wish: Wish) -> list[SearchHit]:
        return await text_search.search(self._core, self.space, self.domain, wish)

    def _where(self) -> str:
        return self.space.space_name

    def transaction(self) -> Transaction:
        """Open a transaction over this space: ``async with store.transaction() as tx``."""
        return cast("Transaction", super().transaction())

    def join(self, connection: AsyncConnection) -> Transaction:
        """Take part in the transaction that is open on the caller's own connection.

        ``async with store.join(connection) as tx``, or ``tx = await store.join(connection)``:
        what it writes is committed, or rolled back, by the caller.

        Raises:
            MisuseError: No transaction is open on the connection, or it is in AUTOCOMMIT.
        """
        return cast("Transaction", super().join(connection))


class Database(database.Database):
    """One database with its spaces; open it once per process and share it.

    ``engine`` is yours for your own tables. In memory there is one connection: lend it with
    `connection`.
    """

    _store_type: ClassVar[type[content_store.ContentStore]] = ContentStore
    _transaction_type: ClassVar[type[transaction.Transaction]] = Transaction
    _registry_type: ClassVar[type[spaces.SpaceRegistry]] = SpaceRegistry
    spaces: SpaceRegistry

    @property
    def branches(self) -> Branches:
        """The branches of the whole database."""
        return Branches(self._core.root)

    async def content_store(
        self,
        space: SpaceLike = "default",
        domain: Domain | None = None,
        *,
        create: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> ContentStore:
        """Open a space with the domain that folds it; its data types need none.

        Args:
            space: A `Space`, a name or an id; a name that does not exist is created.
            create: Off: a missing space raises instead.
            metadata: For a new space; stored metadata wins.

        Raises:
            SpaceNotFoundError: ``create`` is off, or an id was given, and there is no such space.
            SpaceNameError: A new space may not have this name.
        """
        opened = await super().content_store(space, domain, create=create, metadata=metadata)
        return cast("ContentStore", opened)

    @asynccontextmanager
    async def in_space(
        self, space: SpaceLike, domain: Domain | None = None
    ) -> AsyncIterator[ContentStore]:
        """Lend a view of a space for a block: ``async with db.in_space("x") as s``.

        See `ContentStore.at`: a name that does not exist is made a space by its first write.
        """
        default = await self.content_store("default", domain)
        yield default.at(space)

    async def call(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation that is named by data: ``{"type": "kv_put", "key": "k", "value": 1}``.

        Args:
            command: ``type`` names the operation, ``space`` the space (`default` without it);
                the rest are its arguments. The reference lists all of them.

        Returns:
            A document of plain values; it depends on the operation.

        Raises:
            DataError: There is no such operation, or an argument is missing, unknown or wrong.
        """
        return await run_operation(self, command)

    async def search(
        self,
        text: str,
        *,
        spaces: Iterable[SpaceLike] | AllSpaces,
        types: Iterable[str] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[SearchHit]:
        """Search the texts of several spaces, the best of each first; see `ContentStore.search`.

        Each space is ranked by itself; a score is 1 / (60 + rank in its space).

        Args:
            spaces: Which, always said; or `ALL`, those that are searched.

        Raises:
            SearchDisabledError: One of the spaces named is not searched.
            SpaceNotFoundError: There is no such space.
        """
        wish = Wish.of(text, types, limit, offset)
        if isinstance(spaces, AllSpaces):
            return await text_search.search_spaces(self._core, None, wish)
        if isinstance(spaces, (str, int)) or not isinstance(spaces, Iterable):
            raise DataError("spaces", spaces, "give a list of spaces, or ramax.ALL")
        chosen = [await self._core.resolve(space) for space in spaces]
        return await text_search.search_spaces(self._core, chosen, wish)

    def transaction(self, *spaces: Any) -> Transaction:
        """Open a transaction over several spaces: ``async with db.transaction("a", "b") as tx``.

        Args:
            spaces: Each a `Space`, name, id or store; locked in id order when the block begins.
                A name that does not exist is made a space then.
        """
        return cast("Transaction", super().transaction(*spaces))

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
        repeated = cast("Callable[[transaction.Transaction], Awaitable[T]]", work)
        return await super().run_transaction(repeated, *spaces, attempts=attempts)
