"""The databases that tests run on: a SQLite file, SQLite in memory, PostgreSQL."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

import ramax
from ramax.storage.migrate import upgrade
from tests._postgres import NoPostgresError, Server, find_programs

SQLITE = pytest.param("sqlite_url", id="sqlite")
MEMORY = pytest.param("memory_url", id="memory")
POSTGRES = pytest.param("postgres_url", id="postgres", marks=pytest.mark.postgres)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the heavy tests too")


def pytest_configure(config: pytest.Config) -> None:
    """The quick form tries the same examples each time; the nightly form looks for new ones."""
    settings.register_profile(
        "quick",
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("nightly", deadline=None, print_blob=True)
    settings.load_profile("nightly" if config.getoption("nightly") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("nightly"):
        for item in items:
            if item.get_closest_marker("nightly"):
                item.add_marker(pytest.mark.skip(reason="heavy: run with --nightly"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Start one server for all workers; they find it in their environment."""
    if "RAMAX_TEST_POSTGRES_URL" not in os.environ and next(find_programs(), None):
        server = Server()
        config.add_cleanup(server.stop)
        os.environ["RAMAX_TEST_POSTGRES_URL"] = server.url()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the database from which others are made; the first test that asks starts it."""
    if given := os.environ.get("RAMAX_TEST_POSTGRES_URL"):
        yield _shown(sa.make_url(given).set(drivername="postgresql+asyncpg"))
        return
    try:
        server = Server()
    except NoPostgresError:
        # A run that counts must not pass without half of its tests.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "no PostgreSQL: install the extra dev, or set RAMAX_TEST_POSTGRES_URL"
        )
    yield server.url()
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_template(postgres_server: str) -> AsyncIterator[str]:
    """Name of a database with the newest schema, to be copied and never connected to."""
    async with _new_database(postgres_server) as url:
        await _create_schema(url)
        yield sa.make_url(url).database or ""


@pytest.fixture
async def postgres_url(postgres_server: str, postgres_template: str) -> AsyncIterator[str]:
    """A PostgreSQL database of the test's own, with the newest schema."""
    async with _new_database(postgres_server, template=postgres_template) as url:
        yield url


@pytest.fixture
async def empty_postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """A PostgreSQL database of the test's own, without any table."""
    async with _new_database(postgres_server) as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def icu_postgres_server(postgres_server: str) -> AsyncIterator[str]:
    """A server with ICU: the usual one, else the system's, as the wheels are built without."""
    if await _has_icu(postgres_server):
        yield postgres_server
        return
    for programs in find_programs():
        server = Server(programs)
        try:
            if await _has_icu(server.url()):
                yield server.url()
                return
        finally:
            server.stop()
    pytest.skip("no PostgreSQL server here is built with ICU")


@pytest.fixture
async def icu_postgres_url(icu_postgres_server: str) -> AsyncIterator[str]:
    """A PostgreSQL database that sorts as English does, not by byte; with the newest schema."""
    locale = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    async with _new_database(icu_postgres_server, options=locale) as url:
        await _create_schema(url)
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'ramax.db'}"


@pytest.fixture
def memory_url() -> str:
    return "sqlite://"


# `url` and `durable_url` have to be plain functions: an async fixture cannot get another one.
@pytest.fixture(params=[SQLITE, MEMORY, POSTGRES])
def url(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn, new."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture(params=[SQLITE, POSTGRES])
def durable_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database that outlives the process in turn, new."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def db(url: str) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(url) as database:
        yield database


@pytest.fixture
async def db_on_postgres(postgres_url: str) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(postgres_url) as database:
        yield database


@pytest.fixture
async def db_on_sqlite(sqlite_url: str) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(sqlite_url) as database:
        yield database


@pytest.fixture
async def durable_db(durable_url: str) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(durable_url) as database:
        yield database


async def _create_schema(url: str) -> None:
    engine = create_async_engine(url)
    await upgrade(engine)
    await engine.dispose()


@asynccontextmanager
async def _new_database(
    server: str, *, template: str = "", options: str = ""
) -> AsyncIterator[str]:
    name = f"ramax_{uuid4().hex}"
    async with _administrator(server) as admin:
        if template:
            options = f"TEMPLATE {template}"
            # Copying the files is quicker here than writing them through the log.
            if (admin.dialect.server_version_info or ()) >= (15,):
                options += " STRATEGY file_copy"
        await admin.execute(sa.text(f"CREATE DATABASE {name} {options}"))
        try:
            yield _shown(sa.make_url(server).set(database=name))
        finally:
            await admin.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@asynccontextmanager
async def _administrator(server: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def _has_icu(server: str) -> bool:
    known = sa.text("SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'en-US-x-icu')")
    async with _administrator(server) as admin:
        return bool(await admin.scalar(known))


def _shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)
