"""The table for those who come from Strata: what it says is there, is."""

import importlib
import inspect
import re
from typing import Any

import pytest

import ramax
from ramax.branches import Branches
from ramax.datatypes import Cells, JsonDocuments, KeyValues, Log, Vectors
from ramax.entry.registry import SpaceRegistry
from tests.docs.documents import DOCS, table

PAGE = DOCS / "howto/coming-from-strata.md"
ROWS = [row for section in ("### Spaces", "### Data") for row in table(PAGE, section)]

OBJECTS: dict[str, Any] = {
    "ramax": ramax,
    "db": ramax.Database,
    "db.spaces": SpaceRegistry,
    "db.branches": Branches,
    "store": ramax.ContentStore,
    "store.kv": KeyValues,
    "store.log": Log,
    "store.cells": Cells,
    "store.json": JsonDocuments,
    "store.vectors": Vectors,
}


def exists(path: str) -> bool:
    name, _, parameter = path.rstrip(")").partition("(")
    owner, _, member = name.rpartition(".")
    found = getattr(OBJECTS.get(owner), member, None)
    if found is None or not parameter:
        return found is not None or member in getattr(OBJECTS.get(owner), "__annotations__", {})
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
    assert exists("store.kv.get(as_of)")
    assert not exists("store.kv.get(nothing)")
    assert not exists("store.kv.nothing")
    assert importlib.util.find_spec("ramax.datatypes") is not None
