"""``store.cells``: named values that count their versions, for compare and set."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from ramax.core.datatypes import cells as rules
from ramax.core.datatypes.datatype import check_own_name
from ramax.core.datatypes.versioned import LIVE, Versioned
from ramax.core.limits import check_sequence
from ramax.datatypes.arguments import bound, checked_prefix
from ramax.datatypes.versions import VersionedCommit, version_of
from ramax.errors import MisuseError
from ramax.runtime.commands import name_of
from ramax.runtime.partition import Partition, WriteOptions

_NAME, _PREFIX = "cell name", "prefix of cell names"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it is; versions are 1, 2, 3 and so on."""

    name: str
    value: Any
    version: int


@dataclass(frozen=True, slots=True)
class CellVersion:
    """What a cell held from an event on; ``deleted``: nothing, and no version."""

    value: Any
    version: int | None
    deleted: bool
    space_sequence: int
    timestamp: datetime


class Cells:
    """Cells with names of 1 to 900 UTF-8 bytes; each counts versions of its own.

    A version is never used twice, not even after a cell was deleted and set again. Every write
    takes the options of `ContentStore.execute`: ``expected_sequence``, ``idempotency_key``, ….
    """

    def __init__(self, part: Partition) -> None:
        self._part = part

    async def set(self, name: str, value: Any, **options: Unpack[WriteOptions]) -> VersionedCommit:
        """Give a cell a value, whatever it has.

        Raises:
            DataError: The name breaks a rule. CodecError: The value cannot be stored.
        """
        params = (check_own_name(name, _NAME), value)
        return await self._write(rules.put, params, **options)

    async def init(self, name: str, value: Any, **options: Unpack[WriteOptions]) -> VersionedCommit:
        """Give a cell a value where it has none; a commit without events says that it has one."""
        params = (check_own_name(name, _NAME), value)
        return await self._write(rules.init, params, **options)

    async def cas(
        self,
        name: str,
        value: Any,
        expected_version: int | None,
        **options: Unpack[WriteOptions],
    ) -> VersionedCommit:
        """Compare and set: give a cell a value if it is at the expected version.

        Args:
            expected_version: As `Cell.version`; None for a cell that is not there.

        Raises:
            VersionConflictError: It has another version; nothing was written.
        """
        if expected_version is not None:
            check_sequence(expected_version, "expected_version")
        params = (check_own_name(name, _NAME), value, expected_version)
        return await self._write(rules.cas, params, **options)

    async def transition(
        self, name: str, function: Callable[[Any], Any], **options: Unpack[WriteOptions]
    ) -> VersionedCommit:
        """Give a cell the value that a function makes of its value, None if it has none.

        Args:
            function: Plain and pure, it may run again after a conflict; what it raises is raised
                here, and nothing is written. For an idempotency key its name stands for it.
        """
        if not callable(function):
            raise MisuseError(f"transition takes a function of the value, got {function!r:.80}")
        params = (check_own_name(name, _NAME), function)
        return await self._write(rules.transition, params, [name, name_of(function)], **options)

    async def _write(
        self, command: Any, params: Any, asked: Any = None, **options: Unpack[WriteOptions]
    ) -> VersionedCommit:
        return VersionedCommit.of(await self._part.execute(command, params, asked, **options))

    async def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a cell, or ``default``."""
        found = await self.entry(name)
        return default if found is None else found.value

    async def entry(self, name: str) -> Cell | None:
        """Return a cell with its version, or None."""
        found = await self._part.get(LIVE + check_own_name(name, _NAME))
        if found is None:
            return None
        version, value = Versioned(*found)
        return Cell(name, value, version)

    async def delete(self, name: str, **options: Unpack[WriteOptions]) -> bool:
        """Delete a cell; say whether it was there. Its history stays."""
        commit = await self._part.execute(rules.delete, check_own_name(name, _NAME), **options)
        return bool(commit.events)

    async def exists(self, name: str) -> bool:
        """Say whether the cell is there, be its value None."""
        return await self.entry(name) is not None

    async def count(self, prefix: str = "") -> int:
        """Count the cells whose names begin with a prefix."""
        return await self._part.count(LIVE + checked_prefix(prefix, _PREFIX))

    async def history(self, name: str, *, limit: int | None = None) -> list[CellVersion]:
        """Return what the cell held, the newest first; empty for one that never was there."""
        events = await self._part.history(check_own_name(name, _NAME), limit=bound(limit, "limit"))
        return [
            CellVersion(
                event.payload.get("value"),
                version_of(event),
                event.event_type == rules.DELETED,
                event.space_sequence,
                event.timestamp,
            )
            for event in events
        ]

    async def list(
        self, prefix: str = "", limit: int | None = None, after: str | None = None
    ) -> list[str]:
        """Return the names that begin with a prefix, in order.

        Args:
            limit: At most so many; no limit by default.
            after: Only names above this one.
        """
        bound(limit, "limit")
        if after is not None:
            checked_prefix(after, _NAME)
        below = checked_prefix(prefix, _PREFIX)
        return await self._part.keys(below, within=LIVE, limit=limit, after=after)
