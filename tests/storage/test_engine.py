import sys

import pytest

from ramax.errors import DataError, StorageError
from ramax.storage.engine import as_url, make_engine


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host:port/db",
        "postgresql://me:se:cr@et@host:port/db",
        "postgresql://me:secret/more@host:port/db",
    ],
)
def test_a_url_that_cannot_be_read_is_shown_without_its_password(url):
    with pytest.raises(DataError) as refused:
        as_url(url)
    assert "postgresql://me:***@host:port/db" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "cr@et" not in str(refused.value)


@pytest.mark.parametrize(
    ("driver", "url"), [("asyncpg", "postgresql://host/db"), ("aiosqlite", "sqlite://")]
)
def test_a_missing_driver_is_named(driver, url, monkeypatch):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(StorageError, match=f"the driver {driver} is not installed") as refused:
        make_engine(url)
    assert isinstance(refused.value.__cause__, ModuleNotFoundError)


def test_an_option_that_sqlalchemy_does_not_know_is_named():
    with pytest.raises(StorageError, match="no_such_option"):
        make_engine("postgresql://host/db", no_such_option=1)
