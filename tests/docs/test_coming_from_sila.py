"""The table for those who come from Sila: what it says is there, is."""

import inspect
import re
from typing import Any

import pytest

import ramax
from ramax import sync
from tests.docs.documents import DOCS, table

PAGE = DOCS / "howto/coming-from-sila.md"
SECTIONS = ("### The manager", "### Layers", "### Data")
ROWS = [row for section in SECTIONS for row in table(PAGE, section)]

OBJECTS: dict[str, Any] = {
    "ramax": ramax,
    "manager": ramax.SpaceManager,
    "store": ramax.ContentStore,
    "sync": sync,
    "sync.Layer": sync.Layer,
    "sync.TwoWayLayer": sync.TwoWayLayer,
}


def exists(path: str) -> bool:
    name, _, parameter = path.rstrip(")").partition("(")
    owner, _, member = name.rpartition(".")
    found = getattr(OBJECTS.get(owner), member, None)
    if found is None or not parameter:
        return found is not None
    return parameter in inspect.signature(found).parameters


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_name_is_there_exactly_where_the_table_says_so(row: list[str]) -> None:
    _, new, there, note = row
    names = re.findall(r"`([\w.()]+)`", new)
    if there == "no":
        assert not names
        assert note
    else:
        assert names
        assert all(exists(name) for name in names)


def test_the_check_tells_what_is_there_from_what_is_not() -> None:
    assert exists("manager.load(timeout)")
    assert not exists("manager.load(nothing)")
    assert not exists("manager.nothing")
    assert not exists("sync.Nothing")
