"""A store takes part in the caller's own transaction: with it, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import ramax
from ramax.errors import MisuseError, NestedTransactionError, TransactionFailedError
from tests.concurrency._audit import audit, dump
from tests.concurrency._ledger import Overdrawn, ledger, post

orders = sa.Table("orders", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


def params(name: str, **more: Any) -> dict[str, Any]:
    return {"account": "a", "amount": 1, "name": name} | more


# An engine as an application may have it: ramax's own, or one that knows nothing of ramax.
ENGINES = {
    "ours on sqlite": ("sqlite_url", None),
    "ours on postgres": ("postgres_url", None),
    "a small pool on sqlite": ("sqlite_url", {}),
    "a small pool on postgres": ("postgres_url", {}),
    "begins deferred on sqlite": ("sqlite_url", {"connect_args": {"isolation_level": None}}),
}


@pytest.fixture(params=ENGINES)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def durable_url(request: pytest.FixtureRequest, kind: str) -> str:
    return str(request.getfixturevalue(ENGINES[kind][0]))


@pytest.fixture
async def engine(kind: str, durable_url: str) -> AsyncIterator[AsyncEngine]:
    options = ENGINES[kind][1]
    if options is None:
        async with ramax.connect(durable_url) as db:
            yield db.engine
        return
    made = create_async_engine(durable_url, pool_size=1, max_overflow=0, pool_timeout=10, **options)
    if options:
        sa.event.listen(made.sync_engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    yield made
    await made.dispose()


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(engine) as database:
        async with engine.begin() as connection:
            await connection.run_sync(orders.metadata.create_all)
        yield database


async def _orders(db: ramax.Database) -> list[int]:
    async with db.engine.connect() as connection:
        return list(await connection.scalars(sa.select(orders.c.id).order_by(orders.c.id)))


async def test_it_commits_with_the_users_own_rows(db: ramax.Database, durable_url: str) -> None:
    store = await db.content_store("acme", ledger)
    async with db.engine.begin() as connection:
        await connection.execute(sa.insert(orders).values(id=1))
        async with store.join(connection) as tx:
            commit = await tx.execute(post, params("one", parts=3))
            await tx.execute(post, params("two"))
        await connection.execute(sa.insert(orders).values(id=2))
    assert await _orders(db) == [1, 2]
    assert [event.space_sequence for event in commit.events] == [1, 2, 3]
    await store.execute(post, params("three"))
    assert (await audit(durable_url))["acme"].commands == ["one", "two", "three"]


@pytest.mark.parametrize("first", [True, False], ids=["first statement", "second statement"])
@pytest.mark.parametrize("block", [True, False], ids=["block", "await"])
async def test_it_leaves_nothing_when_the_user_rolls_back(
    db: ramax.Database, durable_url: str, first: bool, block: bool
) -> None:
    store = await db.content_store("acme", ledger)
    await store.execute(post, params("before"))
    await store.execute(post, params("other account", account="b"))
    before = await dump(durable_url)
    with pytest.raises(ZeroDivisionError):
        async with db.engine.begin() as connection:
            if not first:
                await connection.execute(sa.insert(orders).values(id=1))
            if block:
                async with store.join(connection) as tx:
                    await tx.execute(post, params("never", parts=2))
            else:
                await (await store.join(connection)).execute(post, params("never", parts=2))
            await connection.execute(sa.insert(orders).values(id=2))
            raise ZeroDivisionError
    assert await dump(durable_url) == before
    assert await _orders(db) == []
    assert (await store.pstate.fetch("account:a"))["total"] == 1
    await store.execute(post, params("after"))
    assert (await audit(durable_url))["acme"].sequence == 3


async def test_a_no_inside_leaves_the_users_transaction_usable(
    db: ramax.Database, durable_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    async with db.engine.begin() as connection:
        tx = await store.join(connection)
        await tx.execute(post, params("one"))
        with pytest.raises(Overdrawn):
            await tx.execute(post, params("no", amount=-5))
        await connection.execute(sa.insert(orders).values(id=1))
        await tx.execute(post, params("two", amount=-1))
    assert (await audit(durable_url))["acme"].commands == ["one", "two"]
    assert await _orders(db) == [1]


async def test_it_sees_what_it_wrote_and_folds_what_was_only_appended(
    db: ramax.Database, durable_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    await store.execute(post, params("zero"))
    raw = {**params("raw"), "part": 1, "parts": 1, "balance": 1}
    await store.events.append("account:a", "posted", raw)
    async with db.engine.begin() as connection, store.join(connection) as tx:
        assert (await tx.pstate.get("account:a"))["total"] == 2
        await tx.execute(post, params("one"))
        assert (await tx.pstate.get("account:a"))["total"] == 3
    assert (await audit(durable_url))["acme"].commands == ["zero", "raw", "one"]


async def test_savepoints_of_the_user_take_what_is_in_them(
    db: ramax.Database, durable_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    async with db.engine.begin() as connection:
        await (await store.join(connection)).execute(post, params("one"))
        with pytest.raises(ZeroDivisionError):
            async with connection.begin_nested():
                await (await store.join(connection)).execute(post, params("never"))
                raise ZeroDivisionError
        await (await store.join(connection)).execute(post, params("two"))
    assert (await audit(durable_url))["acme"].commands == ["one", "two"]


async def test_others_go_on_while_a_join_is_open_and_wait_for_its_space(
    db: ramax.Database, durable_url: str
) -> None:
    acme, globex = [await db.content_store(name, ledger) for name in ("acme", "globex")]
    await acme.execute(post, params("first"))
    async with db.engine.begin() as connection:
        tx = await acme.join(connection)
        await tx.execute(post, params("joined"))
        same = asyncio.create_task(acme.execute(post, params("same")))
        if db.engine.dialect.name == "postgresql":  # on SQLite there is one lock for all
            await asyncio.create_task(globex.execute(post, params("beside")))
        assert not same.done()
        assert (await asyncio.create_task(acme.pstate.fetch("account:a")))["total"] == 1
    assert (await same).space_sequence == 3
    assert (await audit(durable_url))["acme"].commands == ["first", "joined", "same"]


async def test_what_is_no_connection_in_a_transaction_is_refused(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    for wrong in (None, "sqlite://", db.engine, sa.create_engine("sqlite://")):
        with pytest.raises(MisuseError, match="AsyncConnection"):
            store.join(wrong)  # type: ignore[arg-type]
    async with db.engine.connect() as connection:
        with pytest.raises(MisuseError, match="transaction"):
            await store.join(connection)
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        async with connection.begin():
            with pytest.raises(MisuseError, match="(?i)autocommit"):
                await (await store.join(connection)).execute(post, params("never"))
    assert await store.events.get_space_latest_sequence() == 0


async def test_a_command_of_the_store_inside_the_block_is_refused_at_once(
    db: ramax.Database,
) -> None:
    store = await db.content_store("acme", ledger)
    async with db.engine.begin() as connection, store.join(connection) as tx:
        await tx.execute(post, params("one"))
        with pytest.raises(NestedTransactionError):
            await store.execute(post, params("two"))
        await tx.execute(post, params("three"))
    await store.execute(post, params("four"))
    assert await store.events.get_space_latest_sequence() == 3


async def test_a_storage_error_in_a_join_is_not_hidden_by_the_end_of_its_block(
    db: ramax.Database, durable_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    async with db.engine.begin() as connection:
        await connection.execute(sa.text("CREATE UNIQUE INDEX mine ON events (correlation_id)"))
    with pytest.raises(TransactionFailedError):
        async with db.engine.begin() as connection, store.join(connection) as tx:
            await tx.execute(post, params("one"), correlation_id="c")
            with pytest.raises(ramax.StorageError):
                await tx.execute(post, params("two"), correlation_id="c")
    assert await store.events.get_space_latest_sequence() == 0


async def test_reads_from_memory_notice_a_joined_commit(engine: AsyncEngine) -> None:
    async with ramax.connect(engine, cache="exclusive") as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, params("one"))

        async def total() -> Any:
            return (await store.pstate.fetch("account:a"))["total"]

        async def total_elsewhere() -> Any:
            return await asyncio.create_task(total())

        assert await total() == 1
        async with db.engine.begin() as connection:
            async with store.join(connection) as tx:
                await tx.execute(post, params("two"))
                assert await total_elsewhere() == 1
            assert await total_elsewhere() == 1
        assert await total() == 2
        with pytest.raises(ZeroDivisionError):
            async with db.engine.begin() as connection:
                tx = await store.join(connection)
                await tx.execute(post, params("never"))
                assert await total_elsewhere() == 2
                raise ZeroDivisionError
        assert await total() == 2
        await store.execute(post, params("three"))
        assert await total() == 3


async def test_in_memory_a_join_takes_the_connection_that_is_lent() -> None:
    async with ramax.connect() as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, params("one"))
        async with db.connection() as connection:
            async with connection.begin():
                await connection.run_sync(orders.metadata.create_all)
                tx = await store.join(connection)
                await tx.execute(post, params("two"))
                assert (await tx.pstate.get("account:a"))["total"] == 2
            with pytest.raises(ZeroDivisionError):
                async with connection.begin():
                    await connection.execute(sa.insert(orders).values(id=1))
                    await (await store.join(connection)).execute(post, params("never"))
                    raise ZeroDivisionError
        assert (await store.pstate.fetch("account:a"))["total"] == 2
        await store.execute(post, params("three"))
        assert await store.events.get_space_latest_sequence() == 3


@pytest.mark.postgres
async def test_on_a_database_that_sorts_as_english_does(icu_postgres_url: str) -> None:
    names = ["b1", "a-2", "a1", "a_3", "ab"]
    async with ramax.connect(icu_postgres_url) as db:
        store = await db.content_store("acme", ledger)
        keys = ["a:1", "a:B", "a:b", "B:1", "b:1", "a-1", "a", "ä:1", "a:é", "a:e", "a:f"]
        for number, key in enumerate(keys):
            await store.execute(post, params(f"n{number}", account=key))
        async with db.engine.begin() as connection, store.join(connection) as tx:
            await tx.execute(post, params("joined", account="a:z"))
        stored = sorted(f"account:{key}" for key in [*keys, "a:z"])
        assert [key async for key, _ in store.pstate.scan()] == stored
        prefix = "account:a:"
        wanted = [key for key in stored if key.startswith(prefix)]
        assert [key async for key, _ in store.pstate.scan(prefix)] == wanted
        assert await store.pstate.count(prefix) == len(wanted)
        for name in names:
            await db.spaces.create(name)
        found = [space.space_name for space in await db.spaces.list_all("a")]
        assert sorted(found) == ["a-2", "a1", "a_3", "ab", "acme"]
        assert await store.rebuild_pstate() == len(keys) + 1
        assert [key async for key, _ in store.pstate.scan()] == stored
        for key in keys:
            assert [
                event.payload["account"]
                for event in await store.events.get_events(f"account:{key}")
            ] == [key]
    await audit(icu_postgres_url)
