import asyncio

import pytest
import sqlalchemy as sa

from ramax import NestedTransactionError
from tests._domains import add, counter


async def test_who_holds_the_only_writer_himself_does_not_wait_for_himself(db):
    """On PostgreSQL nobody would wait: there the command is committed by itself."""
    store = await db.content_store("acme", counter())
    async with db.connection() as connection, connection.begin():
        await connection.execute(sa.text("SELECT 1"))
        if db.engine.dialect.name == "postgresql":
            await store.execute(add)
        else:
            for verb in (
                lambda: store.execute(add),
                lambda: store.events.append("e", "t", {}),
                lambda: store.pstate.put("k", 1),
                lambda: store.transaction().__aenter__(),
            ):
                with pytest.raises(NestedTransactionError, match="connection of its own"):
                    await verb()
            async with store.join(connection) as tx:
                await tx.execute(add)
    await store.execute(add)
    assert await store.events.get_space_latest_sequence() == 2


async def test_a_handler_that_executes_between_its_write_and_its_ack_is_told_so(db_on_sqlite):
    db = db_on_sqlite
    store = await db.content_store("acme", counter())
    await store.execute(add)
    async with store.subscribe("s") as s:
        event = await anext(s)
        with pytest.raises(NestedTransactionError):
            async with db.engine.begin() as connection:
                await connection.execute(sa.text("CREATE TABLE mine (n INTEGER)"))
                await store.execute(add)
                await s.ack(event, connection)
        assert await store.pstate.fetch("n") == 1  # a reader does not wait for a writer
        async with db.engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE mine (n INTEGER)"))
            assert await store.pstate.fetch("n") == 1
            await s.ack(event, connection)
    assert await store.get_checkpoint("s") == 1


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
async def test_it_is_over_when_the_transaction_is(db_on_sqlite, end):
    store = await db_on_sqlite.content_store("acme", counter())
    connection = await db_on_sqlite.engine.connect()
    await connection.execute(sa.text("SELECT 1"))
    await getattr(connection, end)()
    await store.execute(add)
    await connection.close()


async def test_another_task_may_wait(db_on_sqlite):
    store = await db_on_sqlite.content_store("acme", counter())
    async with db_on_sqlite.engine.begin():
        waiting = asyncio.create_task(store.execute(add))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await waiting
