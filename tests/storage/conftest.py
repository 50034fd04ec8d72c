"""Databases of one kind, for what only that kind has."""

from collections.abc import AsyncIterator

import pytest

import ramax


@pytest.fixture
async def db_on_postgres(postgres_url: str) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(postgres_url) as database:
        yield database


@pytest.fixture
async def db_on_sqlite(sqlite_url: str) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(sqlite_url) as database:
        yield database
