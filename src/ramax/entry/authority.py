"""Following an authority with the public handles, and the authority that is another database."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from ramax.core.domain import Command, Domain
from ramax.core.sync.vector import Vector
from ramax.entry.connecting import Target, connect
from ramax.entry.handles import ContentStore, Database
from ramax.entry.sync import SqlLayer, core_of
from ramax.errors import DataError, LayerError, LayerUnavailableError, StorageError
from ramax.sync import follower
from ramax.sync.authority import Authority, OnConflict
from ramax.sync.deciding import RemoteAuthority
from ramax.sync.layer import Layer
from ramax.sync.remote import RemoteLayer


class Follower(follower.Follower):
    """One space as its authority has decided it, with the pending commands of this device on top.

    Use it in ``async with``, inside that of the database. What is stored in the space comes from
    the authority alone; nobody may write to it by another handle.
    """

    def __init__(
        self,
        primary: Database,
        space: str,
        domain: Domain,
        authority: Target | Database | RemoteLayer | Authority,
        *,
        commands: Iterable[Command],
        on_conflict: OnConflict,
    ) -> None:
        """Say what is followed.

        Args:
            primary: An open database, where the space and what is pending are kept.
            authority: Another database that this process can reach, as for `connect` or open,
                where the space has the same name; a `WebSocketLayer` or `HttpLayer` to a server
                that runs commands; or an `Authority`.
            commands: All that may be run: functions of modules, since their names are kept.
            on_conflict: Is told of a pending command that the authority refuses, and why. Says
                ``"drop"``, ``"keep"`` or `Replace`; may be async. It may be told of one twice.

        Raises:
            MisuseError: A command is given twice, or is no function of a module.
        """
        if not isinstance(primary, Database):
            raise DataError("primary", primary, "is an open Database")
        core = core_of(primary)
        if isinstance(authority, RemoteLayer):
            authority = RemoteAuthority(authority)
        elif not isinstance(authority, Authority):
            authority = SqlAuthority(authority, domain)
        super().__init__(core, space, domain, authority, commands=commands, on_conflict=on_conflict)


class SqlAuthority:
    """An authority that is a space of another ramax database, which this process can reach.

    Commands are run in this process, with the lock of the space over there. Several devices, and
    programs beside them, may do so at once.
    """

    def __init__(
        self,
        target: Target | Database,
        domain: Domain,
        *,
        space: str | None = None,
        **options: Any,
    ) -> None:
        """Name the database; it is opened when it is first needed.

        Args:
            target: As for `connect`; or an open `Database`, which stays open.
            domain: Of the commands.
            space: What the space is called there, if not as here.
            options: As for `connect`.
        """
        self._target, self._domain, self._space, self._options = target, domain, space, options
        self._database: Database | None = None
        self._store: ContentStore | None = None

    async def open(self, space: str) -> Layer:
        """Open the database; the space is made if it is not there, and becomes a replica."""
        await self.aclose()
        async with self._failures():
            if isinstance(self._target, Database):
                self._database = self._target
            else:
                self._database = await connect(self._target, **self._options)
            name = self._space or space
            self._store = await self._database.content_store(name, self._domain)
            await self._store.replica.enable()
            return SqlLayer(self._database, space=name)

    async def execute(self, name: str, command: Command, params: Any, key: str) -> Vector:
        """Run a command there, once for each key."""
        if self._store is None:
            raise LayerError(name, "the authority is not open")
        async with self._failures():
            await self._store.execute(command, params, idempotency_key=key)
            return (await self._store.replica.info()).vector

    async def aclose(self) -> None:
        """Close the database, unless it was lent; again is no error."""
        database, self._database, self._store = self._database, None, None
        if database is not None and database is not self._target:
            await database.close()

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Raise what the database raises as what may heal."""
        try:
            yield
        except (StorageError, OSError) as error:
            raise LayerUnavailableError("authority", str(error)) from error
