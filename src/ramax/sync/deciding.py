"""An authority on a server elsewhere: its two sides, with a served space between them."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ramax.core.domain import Command
from ramax.core.sync.vector import Vector
from ramax.errors import DataError, LayerUnavailableError, StorageError
from ramax.runtime.content_store import ContentStore
from ramax.sync.authority import by_name
from ramax.sync.layer import Layer
from ramax.sync.remote import RemoteLayer
from ramax.sync.replica import Replica


class Decider:
    """Runs commands for followers: what `ramax.web.make_app` takes as ``decide``."""

    def __init__(
        self, open_store: Callable[[str], Awaitable[ContentStore]], commands: Iterable[Command]
    ) -> None:
        """Say where commands are run.

        Args:
            open_store: Opens a space, with its domain; such as
                ``lambda name: db.content_store(name, domain)``.
            commands: All that followers may have run: the same functions as theirs.

        Raises:
            MisuseError: A command is given twice, or is no function of a module.
        """
        self._open_store, self._commands = open_store, by_name(commands)

    async def __call__(self, space: str, name: str, params: Any, key: str) -> Vector:
        """Run a command once for each key; return where the space is after it.

        Raises:
            DataError: There is no such command.
            LayerUnavailableError: The database failed; the same key may come again.
            Exception: What the command raised.
        """
        command = self._commands.get(name)
        if command is None:
            raise DataError("command", name, "is not one of those that are run here")
        try:
            store = await self._open_store(space)
            await store.execute(command, params, idempotency_key=key)
            core = store._core  # noqa: SLF001 - of a handle of our own
            return (await Replica(core, store.space, store.domain).enable()).vector
        except (StorageError, OSError) as error:
            raise LayerUnavailableError("authority", str(error)) from error


class RemoteAuthority:
    """A server of `ramax.web` whose ``decide`` runs commands; `Follower` makes it of a layer."""

    def __init__(self, layer: RemoteLayer) -> None:
        self._layer = layer

    async def open(self, _space: str) -> Layer:
        """Return the layer, by which commands go as well."""
        return self._layer

    async def execute(self, name: str, _command: Command, params: Any, key: str) -> Vector:
        """Have a command run there, once for each key."""
        return await self._layer.run(name, params, key)

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._layer.aclose()
