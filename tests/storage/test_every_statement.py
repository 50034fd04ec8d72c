"""Every statement names its space; the few that do not are listed here with the reason."""

import importlib
import pkgutil
import re

import pytest

import ramax.storage
from ramax.storage.sql import Statement
from ramax.storage.tables import DialectName, build_tables

NAMES_NO_SPACE = {
    "append_sqlite._newest_event_id": "the highest id ever used, of all spaces",
    "events._all_page": "the feed of all spaces",
    "events._by_id": "an event id is unique over all spaces; the caller checks the space",
    "events._last_id": "the highest id ever used, of all spaces",
    "feed._lowest_mark": "which ids may still appear, of all spaces",
    "import_rows._new_space": "the registry",
    "spaces._all": "the registry",
    "spaces._by_name": "the registry",
    "spaces._prefixed": "the registry",
    "spaces._insert": "the registry: the id is what the insert gives",
    "spaces._lock_timeout": "a setting of the session",
    "stats._stats_of_all": "counts every space, each under its own id",
}
ID_MACHINERY = "import_ids."  # keeps or draws ids for an import; holds the whole database meanwhile


def statements(dialect: DialectName) -> dict[str, str]:
    found = {}
    for module in pkgutil.iter_modules(ramax.storage.__path__):
        room = importlib.import_module(f"ramax.storage.{module.name}")
        for name, value in vars(room).items():
            if isinstance(value, Statement) and value._build.__module__ == room.__name__:
                try:
                    found[f"{module.name}.{name}"] = value.on(build_tables(dialect)).text
                except (NotImplementedError, ValueError):
                    continue  # written for the other dialect
    return found


def names_a_space(text: str) -> bool:
    inserted = re.search(r'INSERT INTO "?\w+"? \(([^)]*)\)', text)
    if inserted:
        return "space_id" in inserted.group(1)
    return re.search(r"space_id = |space_id IN |GROUP BY \w+\.space_id", text) is not None


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_statement_names_its_space(dialect):
    without = {
        name
        for name, text in statements(dialect).items()
        if not names_a_space(text) and not name.startswith(ID_MACHINERY)
    }
    assert without - NAMES_NO_SPACE.keys() == set()


def test_the_list_of_exceptions_has_no_stranger():
    every = statements("sqlite").keys() | statements("postgresql").keys()
    assert NAMES_NO_SPACE.keys() - every == set()


def test_no_update_or_delete_lacks_a_space():
    for dialect in ("sqlite", "postgresql"):
        for name, text in statements(dialect).items():
            if text.startswith(("UPDATE", "DELETE")) and not name.startswith(ID_MACHINERY):
                assert re.search(r"WHERE .*space_id = ", text, re.DOTALL), name


def test_a_statement_without_a_space_would_be_seen():
    assert not names_a_space("SELECT key FROM pstate_entities WHERE key = ?")
    assert not names_a_space("DELETE FROM events WHERE event_id = ?")
