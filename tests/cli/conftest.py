"""Databases for the command line: one with the demo in it, one with odd values."""

import pytest

import ramax
from tests._values import EVERY_TYPE
from tests.cli.command import on, succeed


@pytest.fixture(autouse=True)
def no_url_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAMAX_DATABASE_URL", raising=False)


@pytest.fixture
def demo_url(durable_url: str) -> str:
    """The story of the demo: crm_acme with 3 events and 2 keys, crm_globex with 1 and 1."""
    succeed("demo", "--url", durable_url)
    return durable_url


@pytest.fixture
def demo_file(sqlite_url: str) -> str:
    """The same, on SQLite only: for what does not depend on the database."""
    succeed("demo", "--url", sqlite_url)
    return sqlite_url


@pytest.fixture
def odd_url(durable_url: str) -> str:
    """One event, and one key, that hold one of every type; names that could harm a terminal."""

    async def fill(db: ramax.Database) -> None:
        odd = await db.content_store("odd")
        await odd.events.append(
            "e\x1b[2J", "typ\u0085e", EVERY_TYPE, metadata={"m": (1,)}, correlation_id="c"
        )
        await odd.pstate.put("key\x1b\n", EVERY_TYPE)

    on(durable_url, fill)
    return durable_url
