"""ramax with its SQLite writer on a thread and a plain connection of its own (ADR 25).

The library hops to the thread of an aiosqlite connection. This does the same units of work on a
thread that nobody else uses. It only goes as far as commands do: transactions, rebuilds and
direct puts still take the other connection.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import ramax.entry.connecting
from benchmarks.programs.library import WORKS
from benchmarks.work import serve
from ramax.storage.backend import Done
from ramax.storage.backend_sqlite import SqliteBackend
from ramax.storage.engine import prepare_sqlite
from ramax.storage.executors import Executor, SqliteExecutor


class ThreadBackend(SqliteBackend):
    """Posts units of work to a thread that owns a sqlite3 connection."""

    async def open(self) -> None:
        """Take the connections as before, and start the thread with one more."""
        await super().open()
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._drain, name="ramax writer")
        self._thread.start()

    def post(self, work: Callable[[Executor], object], done: Done) -> None:
        """See `Backend.post`."""
        self._work.put((work, done))

    async def close(self) -> None:
        """End the thread, then the rest."""
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)
        await super().close()

    def _drain(self) -> None:
        connection = sqlite3.connect(str(self._engine.url.database), timeout=30)
        prepare_sqlite(connection, self._synchronous)
        executor = SqliteExecutor(connection, self.tables)
        answer = self._loop.call_soon_threadsafe
        while (item := self._work.get()) is not None:
            work, done = item
            try:
                connection.execute("BEGIN IMMEDIATE")
                work(executor)
                connection.execute("COMMIT")
            except Exception as error:
                connection.rollback()
                answer(done, error)
            else:
                answer(done, None)
        connection.close()


if __name__ == "__main__":
    vars(ramax.entry.connecting)["SqliteBackend"] = ThreadBackend
    serve(WORKS)
