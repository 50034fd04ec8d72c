import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.errors import StorageError
from ramax.storage.notifications import Listener, channel_of, notify
from ramax.storage.tables import build_tables
from tests._reading import until

pytestmark = pytest.mark.postgres


def test_two_schemas_have_two_channels():
    assert channel_of(build_tables("postgresql")) == "ramax"
    assert channel_of(build_tables("postgresql", "crm")) == "ramax_crm"


@pytest.fixture
async def heard(db_on_postgres):
    found: list[object] = []
    listener = db_on_postgres._core.backend.listener(found.append)
    await listener.listen()
    yield listener, found
    await listener.close()


async def test_what_is_told_is_heard(db_on_postgres, heard):
    listener, found = heard
    await listener.listen()  # it does already
    for spaces in ([1], [2, 3], range(500)):
        await db_on_postgres._core.read(lambda ex, spaces=spaces: notify(ex, spaces))
    await until(lambda: len(found) == 3)
    assert found == [[1], [2, 3], None]


async def test_what_others_say_on_the_channel_is_taken_as_a_hint(db_on_postgres, heard):
    _, found = heard
    async with db_on_postgres.engine.begin() as connection:
        for text in ("nonsense", '{"a": 1}', ""):
            await connection.exec_driver_sql(f"SELECT pg_notify('ramax', '{text}')")
    await until(lambda: found)
    assert found in ([None], [None, None], [None, None, None])


async def test_a_broken_connection_is_made_again(db_on_postgres, heard):
    listener, found = heard
    pid = listener._borrowed.driver_connection.get_server_pid()
    async with db_on_postgres.engine.begin() as connection:
        await connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    await until(lambda: not listener.open)
    await listener.listen()
    await db_on_postgres._core.read(lambda ex: notify(ex, [7]))
    await until(lambda: found)


async def test_a_server_that_is_not_there_is_an_error():
    engine = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    listener = Listener(engine, build_tables("postgresql"), print)
    with pytest.raises(StorageError):
        await listener.listen()
    assert not listener.open
    await engine.dispose()
