"""A space without a domain, on each database in turn."""

import pytest

import ramax


@pytest.fixture
async def store(db: ramax.Database) -> ramax.ContentStore:
    return await db.content_store("acme")
