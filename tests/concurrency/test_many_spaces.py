"""One reader of all spaces serves thousands of them with a handful of connections."""

import time
import tracemalloc

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.core.codec import encode
from ramax.storage.tables import build_tables

MOST_CONNECTIONS = 4
MOST_BYTES = 24 * 1024 * 1024
EACH = 5

many = pytest.mark.parametrize(
    "count", [300, pytest.param(10_000, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
)


async def fill(url: str, count: int) -> None:
    """Write spaces with five events each as the tables hold them, in turns, without the writer."""
    async with ramax.connect(url):
        pass
    engine = create_async_engine(url)
    tables = build_tables(engine.dialect.name)
    payload = encode({"text": "x" * 40}, "payload")
    ids = range(1, count + 1)
    async with engine.begin() as connection:
        spaces = [{"space_id": n, "space_name": f"s{n}", "created_at": 1} for n in ids]
        await connection.execute(sa.insert(tables.spaces), spaces)
        heads = [{"space_id": n, "last_sequence": EACH} for n in ids]
        await connection.execute(sa.insert(tables.space_sequences), heads)
        for sequence in range(1, EACH + 1):
            events = [
                {
                    "space_id": n,
                    "space_sequence": sequence,
                    "entity_id": "e",
                    "event_type": "t",
                    "payload": payload,
                    "format": "msgpack",
                    "timestamp": 1,
                }
                for n in ids
            ]
            await connection.execute(sa.insert(tables.events), events)
    await engine.dispose()


@many
async def test_all_spaces_are_drained_with_few_connections_in_bounded_memory(
    durable_url, count, record_property
):
    await fill(durable_url, count)
    heads: dict[int, int] = {}
    async with ramax.connect(durable_url) as db:
        tracemalloc.start()
        began = time.perf_counter()
        async with db.subscribe_all("search", follow=False) as s:
            async for event in s:
                assert event.space_sequence == heads.get(event.space_id, 0) + 1
                heads[event.space_id] = event.space_sequence
                if event.space_sequence == EACH and event.space_id % 500 == 0:
                    await s.ack(event)
            await s.ack(event)
            seconds = time.perf_counter() - began
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            if durable_url.startswith("postgresql"):
                assert await connections(durable_url) <= MOST_CONNECTIONS
    assert heads == dict.fromkeys(range(1, count + 1), EACH)
    assert peak < MOST_BYTES
    record_property("events_per_second_traced", round(count * EACH / seconds))
    record_property("peak_bytes", peak)


async def connections(url: str) -> int:
    """Count the connections to a database but for the one that asks."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        found = (await connection.execute(sa.text(query))).scalar_one()
    await engine.dispose()
    return int(found)
