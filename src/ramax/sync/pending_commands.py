"""Commands of a follower that its authority has not confirmed: kept, sent, answered, forgotten."""

import inspect
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ramax.core.codec import decode, encode
from ramax.core.domain import Command
from ramax.core.sealed import ID_BYTES
from ramax.core.sync.vector import Vector
from ramax.errors import ClosedError, DataError, MisuseError
from ramax.runtime.commands import name_of
from ramax.runtime.core import Core
from ramax.storage import pending
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.pending import PendingRow
from ramax.sync.authority import (
    NOT_THE_COMMANDS,
    Answer,
    Authority,
    OnConflict,
    Pending,
    Replace,
)
from ramax.sync.overlay import Overlay, open_rows
from ramax.values import Space, from_micros

T = TypeVar("T")


class PendingCommands:
    """What is pending in one space, by the names of the commands that may be."""

    def __init__(self, core: Core, overlay: Overlay, commands: Mapping[str, Command]) -> None:
        self._core, self._commands = core, commands
        self.overlay = overlay
        self._closed = False

    @property
    def space(self) -> Space:
        """The space that they are for.

        Raises:
            ClosedError: They are closed, perhaps while they are sent.
        """
        if self._closed:
            raise ClosedError(f"the follower of {self.overlay.space.space_name!r} is closed")
        return self.overlay.space

    def close(self) -> None:
        """Send nothing more; what is pending stays, for whoever follows next."""
        self._closed = True

    def new(self, command: Command, params: Any) -> PendingRow:
        """Return a command as it will be kept.

        Raises:
            MisuseError: It is not one of the commands of this follower.
            CodecError: The params cannot be stored.
        """
        name = name_of(command)
        if self._commands.get(name) is not command:
            raise MisuseError(f"{name} is not one of the commands that this follower was given")
        packed = encode(params, f"params of {name}")
        return PendingRow(0, secrets.token_bytes(ID_BYTES), name, packed, self._core.clock())

    async def add(self, new: PendingRow) -> Pending:
        """Run a command on top of what is known here, and keep it.

        Raises:
            StateBehindError: What is confirmed is not folded yet.
            Exception: Whatever the command raised; nothing of it stays.
        """

        def work(ex: Executor) -> PendingRow:
            unit, _ = self.overlay.on_top(ex, open_rows(ex, self.space.space_id))
            self.overlay.run(unit, new)
            return pending.add(ex, self.space.space_id, new)

        return _told(await self._locked(work))

    async def open(self) -> list[Pending]:
        """Return those whose events have not come back yet, in their order."""
        space_id = self.space.space_id
        return [_told(row) for row in await self._core.read(lambda ex: open_rows(ex, space_id))]

    async def drop(self, uid: bytes) -> bool:
        """Give up one that the authority has refused before; False if there is none such."""
        space_id = self.space.space_id

        def work(ex: Executor) -> bool:
            rows = pending.read_pending(ex, space_id)
            refused = any(row.uid == uid and row.error is not None for row in rows)
            return refused and pending.remove(ex, space_id, uid)

        return await self._locked(work)

    async def send(self, authority: Authority, on_conflict: OnConflict) -> None:
        """Let the authority run what it was not heard to have run, in order.

        Raises:
            MisuseError: A command is kept that is not one of these.
            DataError: ``on_conflict`` gave no answer.
            Exception: What the authority raised that is no answer, or ``on_conflict``.
        """
        space_id = self.space.space_id
        rows = await self._core.read(lambda ex: pending.read_pending(ex, space_id))
        for row in rows:
            if row.needs is None and not await self._settle(row, authority, on_conflict):
                return

    async def _settle(self, row: PendingRow, authority: Authority, on_conflict: OnConflict) -> bool:
        """Send one command until it, or what was put in its place, is taken or given up.

        Returns:
            False where it is to be tried again, before those that follow it.
        """
        space_id = self.space.space_id
        while True:
            error, needs = await self._ask(row, authority)
            if error is None:
                uid, vector = row.uid, needs
                await self._locked(lambda ex: pending.answered(ex, space_id, uid, vector))  # noqa: B023
                return True
            said = str(error) or type(error).__name__
            await self._locked(lambda ex: pending.refused(ex, space_id, row.uid, said))  # noqa: B023
            answer = await _answer(on_conflict, row._replace(error=said), error)
            if answer == "keep":
                return False
            if answer == "drop":
                await self._locked(lambda ex: pending.remove(ex, space_id, row.uid))  # noqa: B023
                return True
            row = await self._replaced(row, answer)

    async def _ask(self, row: PendingRow, authority: Authority) -> tuple[Exception | None, Vector]:
        command, space_id = self._commands.get(row.name), self.space.space_id
        if row.error is not None:  # from here on it may have been run
            await self._locked(lambda ex: pending.refused(ex, space_id, row.uid, None))
        if command is None:
            raise MisuseError(
                f"the pending command {row.name} is not one that this follower was given"
            )
        try:
            return None, await authority.execute(
                row.name, command, decode(row.params), row.uid.hex()
            )
        except NOT_THE_COMMANDS:
            raise
        except Exception as error:  # whatever a command raises
            return error, {}

    async def forget_confirmed(self) -> None:
        """Forget the commands whose events have come back."""
        await self._locked(self._forget_confirmed)

    def _forget_confirmed(self, ex: Executor) -> None:
        space_id = self.space.space_id
        still = {row.uid for row in open_rows(ex, space_id)}
        for row in pending.read_pending(ex, space_id):
            if row.uid not in still:
                pending.remove(ex, space_id, row.uid)

    async def _replaced(self, row: PendingRow, new: Replace) -> PendingRow:
        made = self.new(new.command, new.params)
        kept = row._replace(uid=made.uid, name=made.name, params=made.params, error=None)
        space_id = self.space.space_id
        await self._locked(lambda ex: pending.replace(ex, space_id, row.uid, kept))
        return kept

    async def _locked(self, work: Callable[[Executor], T]) -> T:
        space = self.space

        def locked(ex: Executor) -> T:
            take_lock(ex, space.space_id, space.space_name)
            return work(ex)

        return await self._core.locked(f"pending commands of space {space.space_name!r}", locked)


async def _answer(on_conflict: OnConflict, row: PendingRow, error: Exception) -> Answer:
    answer = on_conflict(_told(row), error)
    if inspect.isawaitable(answer):
        answer = await answer
    if answer not in ("drop", "keep") and not isinstance(answer, Replace):
        raise DataError("answer to a conflict", answer, "is 'drop', 'keep' or Replace(…)")
    return answer


def _told(row: PendingRow) -> Pending:
    at = from_micros(row.created_at)
    params, confirmed = decode(row.params), row.needs is not None
    return Pending(row.number, row.uid, row.name, params, at, confirmed, row.error)
