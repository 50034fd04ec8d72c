"""NOTIFY and LISTEN: a hint between processes that a space has moved, never more than a hint.

It is sent by itself after a commit: inside the append it would put all commits of the database in
one line, behind the lock that orders notifications. A lost one costs the time of a poll.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from ramax.storage.executors import Executor
from ramax.storage.faults import translated
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

Heard = Callable[[Sequence[int] | None], None]
"""Called with the spaces that moved; None where there are too many to name."""

_MOST = 400
"""Ids in one notification; PostgreSQL takes 8,000 bytes."""


@Statement
def _notify(_: Tables) -> sa.Select[Any]:
    return sa.select(sa.func.pg_notify(p("channel", type_=sa.Text()), p("text", type_=sa.Text())))


def channel_of(tables: Tables) -> str:
    """Return the channel of a database: two schemas of one are two databases."""
    schema = tables.metadata.schema
    return f"ramax_{schema}" if schema else "ramax"


def notify(ex: Executor, space_ids: Sequence[int]) -> None:
    """Tell whoever listens that these spaces have moved; in autocommit."""
    text = json.dumps(list(space_ids)) if len(space_ids) <= _MOST else ""
    ex.rows(_notify, {"channel": channel_of(ex.tables), "text": text})


class Listener:
    """One connection that listens, past the pool; made again when it has broken."""

    def __init__(self, engine: AsyncEngine, tables: Tables, heard: Heard) -> None:
        self._pool = engine.sync_engine.pool.recreate()
        self._channel, self._heard = channel_of(tables), heard
        self._borrowed: Any = None

    @property
    def open(self) -> bool:
        """Whether it listens."""
        return self._borrowed is not None and not self._borrowed.driver_connection.is_closed()

    async def listen(self) -> None:
        """Begin to listen, unless it does.

        Raises:
            StorageError: The server cannot be reached, or does not allow it.
        """
        if self.open:
            return
        await self.close()
        try:
            self._borrowed = await greenlet_spawn(self._pool.connect)
            await self._borrowed.driver_connection.add_listener(self._channel, self._told)
        except Exception as error:  # the driver's, or the adapter's
            await self.close()
            raise translated(error) from error

    def _told(self, _connection: object, _pid: int, _channel: str, text: str) -> None:
        spaces = None
        with suppress(ValueError, TypeError):  # somebody else uses the channel
            spaces = [int(each) for each in json.loads(text)] if text else None
        self._heard(spaces)

    async def close(self) -> None:
        """Stop listening and close the connection."""
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is None:
            return
        driver = borrowed.driver_connection
        borrowed.detach()
        with suppress(Exception):  # nothing depends on how a connection that is given up ends
            if not driver.is_closed():
                await driver.remove_listener(self._channel, self._told)
                await driver.close(timeout=5)
        await greenlet_spawn(borrowed.close)
