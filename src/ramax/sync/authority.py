"""What an authority is: the one place that decides the commands of a space, in its own order."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

from ramax.core.domain import Command
from ramax.core.sync.vector import Vector
from ramax.errors import (
    FoldError,
    MisuseError,
    ProjectionError,
    SpaceNotFoundError,
    StorageError,
    SyncError,
)
from ramax.runtime.commands import name_of
from ramax.sync.layer import Layer


@runtime_checkable
class Authority(Protocol):
    """Runs commands, and lets what it has decided be read.

    An object serves one follower. Every verb may raise a `LayerError` where the authority cannot be
    reached; `open` comes first, and again after an error.
    """

    async def open(self, space: str) -> Layer:
        """Connect, and return the layer that its events are read from, not opened yet."""
        ...

    async def execute(self, name: str, command: Command, params: Any, key: str) -> Vector:
        """Run a command, at most once for each key, and return where the authority is after it.

        Args:
            name: What the followers of the space call the command.
            key: 32 characters; the same for each repeat of the same command.

        Raises:
            Exception: What the command raised; then nothing of it is there.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything; again is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that was run here, and whose events have not come from the authority yet."""

    number: int
    uid: bytes
    name: str
    params: Any
    at: datetime
    confirmed: bool
    """Whether the authority has run it; its events are on their way."""

    error: str | None
    """Why the authority did not take it; it is tried again."""


NOT_THE_COMMANDS: Final = (
    *(StorageError, SyncError, MisuseError, FoldError, ProjectionError, SpaceNotFoundError),
    OSError,
)
"""What is raised where a command could not be run at all, and is not the command's own."""


def by_name(commands: Iterable[Command]) -> Mapping[str, Command]:
    """Return commands by what they are called where they are sent.

    Raises:
        MisuseError: Two have one name, or one has none that stays: a lambda, or a function within
            a function.
    """
    found: dict[str, Command] = {}
    for command in commands:
        name = name_of(command)
        if name in found or "<" in name:
            raise MisuseError(f"{name}: give each command once, a function of a module")
        found[name] = command
    return found


class Replace(NamedTuple):
    """The answer to a conflict that puts another command in the place of the one that failed."""

    command: Command
    params: Any = None


Answer = Literal["drop", "keep"] | Replace
"""What becomes of a command that the authority refused: it is given up, tried again with the next
synchronisation before those that follow it, or another one takes its place."""

OnConflict = Callable[[Pending, Exception], Answer | Awaitable[Answer]]
