"""Which tasks hold SQLite's only writer by a transaction on a connection of their own."""

import asyncio
import weakref
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine


class OwnWrites:
    """Notes who begins and ends write transactions on an engine that ramax made."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._begun: weakref.WeakKeyDictionary[sa.Connection, asyncio.Task[Any] | None] = (
            weakref.WeakKeyDictionary()
        )
        sa.event.listen(engine.sync_engine, "begin", self._begin)
        for end in ("commit", "rollback"):
            sa.event.listen(engine.sync_engine, end, self._end)

    def _begin(self, connection: sa.Connection) -> None:
        if connection.get_execution_options().get("ramax_begin", "IMMEDIATE") == "IMMEDIATE":
            self._begun[connection] = asyncio.current_task()

    def _end(self, connection: sa.Connection) -> None:
        self._begun.pop(connection, None)

    def mine(self) -> bool:
        """Say whether the calling task would wait for itself."""
        # its dict: a weak one counts in Python, which each command would pay for
        begun = self._begun.data  # type: ignore[attr-defined]
        return bool(begun) and asyncio.current_task() in self._begun.values()
