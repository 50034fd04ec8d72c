"""What an administrator can do to the sessions of a test's PostgreSQL database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

_OTHERS = " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@asynccontextmanager
async def administrator(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def terminate_all(url: str) -> int:
    """End every other session of the database, wait until they are gone, say how many."""
    async with administrator(url) as admin:
        pids = (await admin.scalars(sa.text(f"SELECT pid{_OTHERS}"))).all()
        await _terminate(admin, pids)
    return len(pids)


async def terminate(url: str, pid: int) -> None:
    """End one session and wait until it is gone."""
    async with administrator(url) as admin:
        await _terminate(admin, [pid])


async def _terminate(admin: AsyncConnection, pids: Sequence[int]) -> None:
    chosen = f"FROM pg_stat_activity WHERE pid IN ({', '.join(map(str, pids)) or 'NULL'})"
    await admin.execute(sa.text(f"SELECT pg_terminate_backend(pid) {chosen}"))
    while await admin.scalar(sa.text(f"SELECT count(*) {chosen}")):
        pass


async def alone(url: str) -> None:
    """Return once no other client has a session: the server may be finishing for a dead one.

    With SQLite nothing outlives the process.
    """
    if not url.startswith("postgresql"):
        return
    async with administrator(url) as admin, asyncio.timeout(30):
        while await admin.scalar(
            sa.text(f"SELECT count(*){_OTHERS} AND backend_type = 'client backend'")
        ):
            await asyncio.sleep(0.001)


async def waiting_for_lock(url: str, count: int = 1) -> None:
    """Return once so many sessions wait for a lock of another transaction."""
    async with administrator(url) as admin:
        while (
            await admin.scalar(sa.text(f"SELECT count(*){_OTHERS} AND wait_event_type = 'Lock'"))
            < count
        ):
            pass
