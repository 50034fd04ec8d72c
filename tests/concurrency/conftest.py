"""A PostgreSQL that keeps what it acknowledged, as the tests' usual one does not."""

import os
from collections.abc import Iterator

import pytest

from tests._postgres import NoPostgresError, Server


@pytest.fixture(scope="session")
def durable_server() -> Iterator[Server]:
    """A server of these tests' own, with its durability on; they may crash it."""
    try:
        server = Server(durable=True)
    except NoPostgresError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no PostgreSQL programs here")
    yield server
    server.stop()
