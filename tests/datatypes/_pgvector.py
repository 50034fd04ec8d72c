"""A PostgreSQL database with pgvector."""

import os

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine


async def with_pgvector(url: str) -> str:
    """Put the extension into a database; skip where the server does not have it, but not in CI."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        listed = sa.text("SELECT name FROM pg_available_extensions WHERE name = 'vector'")
        has_it = (await connection.execute(listed)).all()
        if has_it:
            await connection.execute(sa.text("CREATE EXTENSION vector"))
    await engine.dispose()
    if not has_it:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the server has no pgvector")
    return url
