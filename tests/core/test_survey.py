from typing import Any

import pytest

from ramax import SchemaError, field
from ramax.core.entity import Entity
from ramax.core.survey import NOTHING, survey


class Person:
    name: str = field(replaces="title", migrate=lambda old, p: p.get("full", ""))
    kind: str = field(replaces="sort")
    street: str = field(migrate=lambda old, p: p["address"]["street"])
    tags: list[str] = field(migrate=lambda old: [] if old is None else list(old["all"]))
    age: int | None = field(migrate=lambda old: None)


PERSON = Entity("p", Person, "strict")
STORED: dict[str, Any] = {
    "title": "Dr",
    "sort": "a",
    "kind": "b",
    "full": "Ann",
    "address": {"street": "Main"},
    "tags": {"all": []},
    "age": "42",
    "notes": "?",
}


def test_it_says_what_changes_and_what_gets_lost():
    found = survey(PERSON, "p:1", STORED)
    assert found.changed == {"name", "street", "tags", "age", "title", "sort"}
    assert found.lost == {"sort"}  # `kind` is there already
    assert found.emptied == {"tags", "age"}
    assert found.unread == {"notes"}


def test_a_plain_replacement_loses_nothing_unless_the_new_field_is_there_already():
    class Titled:
        title: str = field(replaces="name")

    titled = Entity("t", Titled, "strict")
    assert survey(titled, "t:1", {"name": "A"}).lost == set()
    assert survey(titled, "t:1", {"name": "A", "title": "B"}).lost == {"name"}


@pytest.mark.parametrize(
    "migrate",
    [
        lambda old, e: e.get("b"),
        lambda old, e: dict(e.items())["b"],
        lambda old, e: {**e}["b"],
        lambda old, e: list(e.values())[0],
        lambda old, e: e.pop("b"),
        lambda old, e: [e[name] for name in e][0],
    ],
)
def test_whichever_way_a_field_is_read_it_counts(migrate):
    reader = Entity(
        "r", type("R", (), {"__annotations__": {"a": int}, "a": field(migrate=migrate)}), "strict"
    )
    assert survey(reader, "r:1", {"b": 1}).unread == set()


def test_what_has_todays_shape_changes_nothing_and_what_fails_raises():
    today = {"name": "A", "street": "S", "tags": ["x"], "age": 1, "kind": "k"}
    assert survey(PERSON, "p:1", today) == NOTHING
    with pytest.raises(SchemaError):
        survey(PERSON, "p:1", {"full": "Ann"})
    with pytest.raises(SchemaError):
        survey(PERSON, "p:1", 1)
