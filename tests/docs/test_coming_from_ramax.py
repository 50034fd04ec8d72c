"""The table of old and new names: what it says is there, is; what is not yet there, is not."""

import importlib
import inspect
import re
from typing import Any

import pytest

import ramax
from ramax.entry.registry import SpaceRegistry
from ramax.runtime.event_log import EventLog
from ramax.runtime.pstate import SpacePState
from ramax.runtime.pstate_repository import PStateRepository
from ramax.runtime.space_events import SpaceEvents
from tests.docs.documents import DOCS, table

PAGE = DOCS / "howto/coming-from-ramax.md"
SECTIONS = ["### EventStore", "### Ramax.Space", "### ContentStore", "### PState"]
ROWS = [row for section in SECTIONS for row in table(PAGE, section)]

OBJECTS: dict[str, Any] = {
    "ramax": ramax,
    "Domain": ramax.Domain,
    "db": ramax.Database,
    "db.spaces": SpaceRegistry,
    "db.events": EventLog,
    "db.pstate": PStateRepository,
    "store": ramax.ContentStore,
    "store.events": SpaceEvents,
    "store.pstate": SpacePState,
}


def exists(path: str) -> bool:
    """Say whether ``a.b.c`` or ``a.b.c(parameter)`` is there."""
    name, _, parameter = path.rstrip(")").partition("(")
    owner, _, member = name.rpartition(".")
    found = OBJECTS.get(name) or getattr(OBJECTS.get(owner), member, None)
    if found is None and owner == "ramax":
        return importlib.util.find_spec(name) is not None
    return found is not None and (not parameter or parameter in inspect.signature(found).parameters)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0] or row[1])
def test_a_name_is_there_exactly_where_the_table_says_so(row: list[str]) -> None:
    _, new, there, note = row
    names = re.findall(r"`([\w.()]+)`", new)
    if there == "no":
        assert not names
        assert note, "say what takes its place"
    else:
        assert [exists(name) for name in names] == [there == "yes"]


def test_no_public_method_of_a_store_or_registry_is_left_out() -> None:
    listed = {
        name.partition("(")[0] for row in ROWS for name in re.findall(r"`([\w.()]+)`", row[1])
    }
    new_here = {"db.spaces.create", "db.spaces.exists", "db.spaces.get"}
    new_here |= {"store.part"}  # what features are made of
    for owner in ("store", "store.pstate", "db.spaces"):
        methods = {
            f"{owner}.{name}"
            for name, _ in inspect.getmembers(OBJECTS[owner], inspect.isfunction)
            if not name.startswith("_")
        }
        assert methods - listed - new_here == set()


def test_the_check_tells_what_is_there_from_what_is_not() -> None:
    assert exists("store.execute(correlation_id)")
    assert not exists("store.execute(nothing)")
    assert not exists("store.nothing")
    assert not exists("ramax.nothing")
    assert exists("ramax.testing")
