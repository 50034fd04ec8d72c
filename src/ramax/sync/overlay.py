"""The read model of a space as it will be once its authority has run what is pending.

What is stored is what the authority has confirmed. On top of it the pending commands are run, in
memory and in their order, whenever one of both has changed: there is nothing to undo, and nothing
that a crash could leave half done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ramax.core.codec import decode
from ramax.core.decoding import Decoding
from ramax.core.domain import Command, Domain
from ramax.core.guard import Guard
from ramax.core.keys import key_range
from ramax.core.new_events import Causes
from ramax.core.state import Packed, ReadFailedError
from ramax.core.sync.vector import covers
from ramax.core.unit import SpaceUnit
from ramax.errors import StorageError
from ramax.runtime.catchup import catch_up_all
from ramax.runtime.core import Core
from ramax.runtime.jobs import StateBehindError
from ramax.runtime.page_fold import facts_of
from ramax.runtime.state_view import Pages, StateView
from ramax.storage import pstate
from ramax.storage.executors import Executor
from ramax.storage.pending import PendingRow, read_pending
from ramax.storage.reads import StoredSource, read_values
from ramax.storage.runs import read_vector
from ramax.values import Space

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the pending commands came to on top of what is confirmed."""

    guard: Guard
    uids: tuple[bytes, ...]
    """Of the commands, in their order."""

    values: Mapping[str, Packed | None]
    """Packed values of the keys that they wrote; None: deleted."""

    errors: Mapping[bytes, Exception] = field(default_factory=dict)
    """Of those that cannot be run here now; they change nothing until the authority says more."""


def open_rows(ex: Executor, space_id: int) -> list[PendingRow]:
    """Return the commands whose events are not here yet."""
    rows = read_pending(ex, space_id)
    known = read_vector(ex, space_id) if any(row.needs is not None for row in rows) else {}
    return [row for row in rows if row.needs is None or not covers(known, row.needs)]


class Overlay:
    """Runs the pending commands of one space."""

    def __init__(
        self, core: Core, space: Space, domain: Domain, commands: Mapping[str, Command]
    ) -> None:
        self.core, self.space, self.domain, self._commands = core, space, domain, commands
        self._last: Outlook | None = None

    async def read(self, work: Callable[[Executor, Outlook], T]) -> T:
        """Read with what the pending commands come to, as of one moment."""

        def steady(ex: Executor) -> T:
            while True:
                outlook = self.outlook(ex, open_rows(ex, self.space.space_id))
                found = work(ex, outlook)
                if facts_of(ex, self.space).guard[:2] == outlook.guard[:2]:
                    return found

        while True:
            try:
                return await self.core.read_whole(steady)
            except StateBehindError:
                await catch_up_all(self.core, self.space, self.domain)

    def outlook(self, ex: Executor, rows: Sequence[PendingRow]) -> Outlook:
        """Run commands on what is stored, or remember what they came to before.

        Raises:
            StateBehindError: The stored state lacks events.
        """
        guard, last = facts_of(ex, self.space).guard, self._last
        uids = tuple(row.uid for row in rows)
        if last is not None and last.guard[:2] == guard[:2] and last.uids == uids:
            return last
        unit, errors = self.on_top(ex, rows)
        self._last = Outlook(unit.guard, uids, dict(unit.state.written), errors)
        return self._last

    def on_top(
        self, ex: Executor, rows: Sequence[PendingRow]
    ) -> tuple[SpaceUnit, Mapping[bytes, Exception]]:
        """Run commands on what is stored; return what that makes, and which failed, by their uids.

        Raises:
            StateBehindError: The stored state lacks events.
        """
        space_id, name = self.space.space_id, self.space.space_name
        guard = facts_of(ex, self.space).guard
        if guard.checkpoint != guard.last_sequence:
            raise StateBehindError
        unit = SpaceUnit(space_id, name, guard, StoredSource(ex, space_id))
        errors: dict[bytes, Exception] = {}
        for row in rows:
            try:
                self.run(unit, row)
            except StorageError:
                raise
            except Exception as error:  # whatever a command raises
                errors[row.uid] = error
        return unit, errors

    def run(self, unit: SpaceUnit, row: PendingRow) -> None:
        """Run one command; whatever it raises leaves the unit as it was."""
        command, params = self._commands[row.name], decode(row.params)
        try:
            unit.execute(self.domain, command, params, Causes(), row.created_at)
        except ReadFailedError as failure:
            raise failure.error from failure


class OverlayState(StateView):
    """The optimistic read model: see `Overlay`."""

    def __init__(self, overlay: Overlay) -> None:
        super().__init__(Decoding(overlay.domain))
        self._overlay = overlay

    def _name(self) -> str:
        return self._overlay.space.space_name

    async def count(self, prefix: str = "") -> int:
        """Count the keys that begin with a prefix."""
        count = 0
        async for _ in self.scan(prefix):
            count += 1
        return count

    async def _load(self, keys: Sequence[str]) -> Mapping[str, Packed | None]:
        space_id = self._overlay.space.space_id

        def read(ex: Executor, outlook: Outlook) -> Mapping[str, Packed | None]:
            written = outlook.values
            stored = read_values(ex, space_id, [key for key in keys if key not in written])
            return {key: written[key] if key in written else stored[key] for key in keys}

        return await self._overlay.read(read)

    async def _pages(self, prefix: str) -> Pages:
        space_id = self._overlay.space.space_id

        async def page(after: str, limit: int) -> Sequence[tuple[str, Packed]]:
            def read(ex: Executor, outlook: Outlook) -> Sequence[tuple[str, Packed]]:
                found: list[tuple[str, Packed]] = []
                at, more = after, True
                while more and len(found) < limit:
                    rows = pstate.read_scan(ex, space_id, prefix, after=at, limit=limit)
                    more = len(rows) == limit
                    upto = rows[-1][0] if more else None
                    found += _merged(rows, outlook.values, prefix, at, upto)
                    at = rows[-1][0] if rows else at
                return found[:limit]

            return await self._overlay.read(read)

        return page


def _merged(
    rows: Sequence[tuple[str, Packed]],
    written: Mapping[str, Packed | None],
    prefix: str,
    after: str,
    upto: str | None,
) -> list[tuple[str, Packed]]:
    """Put what was written among a page of stored keys, in key order."""
    low, high = key_range(prefix)
    values: dict[str, Packed | None] = dict(rows)
    values |= {
        key: value
        for key, value in written.items()
        if low <= key < high and key > after and (upto is None or key <= upto)
    }
    return [(k, v) for k in sorted(values) if (v := values[k]) is not None]
