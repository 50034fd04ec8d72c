"""Who may call an open database: tasks of its own loop and process, outside their transactions."""

import asyncio
import os
import weakref
from typing import Any, NamedTuple, NoReturn

import sqlalchemy as sa

from ramax.errors import ClosedError, MisuseError, NestedTransactionError


class OpenTransaction(NamedTuple):
    """What a task is inside of; ``joined`` is the caller's own transaction, if it is that."""

    name: str
    joined: sa.Transaction | None


class Callers:
    """Knows which tasks have a transaction open, and refuses whom it would hang or corrupt."""

    def __init__(self) -> None:
        self.closed = False
        self._transactions: weakref.WeakKeyDictionary[asyncio.Task[Any], OpenTransaction] = (
            weakref.WeakKeyDictionary()
        )
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()

    def check(self, joining: sa.Transaction | None = None) -> None:
        """Refuse what would hang or corrupt.

        Args:
            joining: The transaction of his own that the caller wants more of.

        Raises:
            ClosedError: The database is closed.
            MisuseError: Another event loop or a forked child calls.
            NestedTransactionError: This task has a transaction open.
        """
        try:  # in a forked child no loop is running until it starts its own
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if self.closed or not here:
            self._refuse()
        # its dict: a weak one counts in Python, which each command would pay for
        open_ = self._transactions.data  # type: ignore[attr-defined]
        if open_ and (opened := self.opened(joining)) is not None:
            raise NestedTransactionError(
                f"this task is inside {opened.name}; use the transaction (tx.execute, "
                "tx.append, tx.pstate, tx.at) or end it first"
            )

    def _refuse(self) -> NoReturn:
        if self.closed:
            raise ClosedError("the database is closed")
        if os.getpid() != self._process:
            raise MisuseError(
                "the database was opened before a fork; open it again in the child process"
            )
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise MisuseError("ramax is async only: call it from a running event loop") from None
        raise MisuseError("the database was opened in another event loop; open one in each loop")

    def opened(self, joining: sa.Transaction | None) -> OpenTransaction | None:
        """Return the transaction that the calling task is inside of, but not ``joining``."""
        task = asyncio.current_task()
        found = None if task is None else self._transactions.get(task)
        if task is None or found is None or found.joined is None:
            return found
        if not found.joined.is_active:  # its owner has ended it
            del self._transactions[task]
            return None
        return None if found.joined is joining else found

    def enter(self, name: str, joined: sa.Transaction | None = None) -> None:
        """Note that the calling task has a transaction open, its own or a joined one."""
        if (task := asyncio.current_task()) is not None:
            self._transactions[task] = OpenTransaction(name, joined)

    def leave(self, task: "asyncio.Task[Any] | None") -> None:
        """Note that a task has ended its transaction."""
        if task is not None:
            self._transactions.pop(task, None)
