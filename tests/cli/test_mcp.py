"""What `ramax mcp` says when it cannot serve; that it serves is tested in tests/mcp."""

import sys

import pytest

from tests.cli.command import fail, on


@pytest.fixture
def made_url(sqlite_url):
    async def nothing(db):
        pass

    on(sqlite_url, nothing)
    return sqlite_url


def test_without_the_extra_it_says_what_to_install(made_url, monkeypatch):
    for name in [each for each in sys.modules if each.startswith("ramax.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    assert "pip install 'ramax[mcp]'" in fail("mcp", "--url", made_url)


def test_without_a_database_it_says_how_to_make_one(tmp_path):
    assert "ramax db upgrade" in fail("mcp", "--url", str(tmp_path / "none.db"))
