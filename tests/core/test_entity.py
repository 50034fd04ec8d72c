# mypy: disable-error-code="type-arg, name-defined, misc, index, func-returns-value"

from typing import Any

import pytest

from ramax import MisuseError, Ref, SchemaError, field
from ramax.core.entity import Entity, Link


def entity(mode: Any = "strict", **fields: Any) -> Entity:
    """Declare an entity ``e``; each field is an annotation, or one with what `field` says."""
    given = {name: each if isinstance(each, tuple) else (each,) for name, each in fields.items()}
    members: dict[str, Any] = {name: each[1] for name, each in given.items() if each[1:]}
    members["__annotations__"] = {name: each[0] for name, each in given.items()}
    return Entity("e", type("E", (), members), mode)


def test_what_has_todays_shape_comes_back_itself():
    value = {"n": 1, "more": [1]}
    assert entity(n=int).read("e:1", value) is value
    assert entity(n=(int, field(migrate=int))).read("e:1", value) is value


@pytest.mark.parametrize("stored", [{"n": "7"}, {"n": "7", "extra": 1}])
def test_a_field_of_another_shape_is_migrated_and_others_are_kept(stored):
    found = entity(n=(int, field(migrate=int))).read("e:1", stored)
    assert found == {**stored, "n": 7}


@pytest.mark.parametrize("stored", [{}, {"n": None}])
def test_a_missing_field_and_none_are_migrated_as_well(stored):
    seen = []
    declared = entity(n=(int, field(migrate=lambda old: seen.append(old) or 5)))
    assert declared.read("e:1", stored) == {"n": 5}
    assert seen == [None]


def test_none_is_left_where_the_type_takes_it():
    declared = entity(n=(int | None, field(migrate=lambda old: 1 / 0)))
    assert declared.read("e:1", {"n": None}) == {"n": None}


def test_a_value_that_does_not_pass_validate_is_migrated():
    declared = entity(n=(int, field(validate=lambda n: n > 0, migrate=abs)))
    assert declared.read("e:1", {"n": -3}) == {"n": 3}


def test_collections_are_migrated():
    declared = entity(
        c=(dict[str, Ref["e"]], field(migrate=lambda old: {i: Ref("e", i) for i in old}))
    )
    assert declared.read("e:1", {"c": ["a"]}) == {"c": {"a": Ref("e:a")}}
    assert declared.read("e:1", {"c": {"a": Ref("e:a")}}) == {"c": {"a": Ref("e:a")}}


def test_every_migration_sees_the_entity_as_it_is_stored():
    declared = entity(
        a=(str, field(migrate=lambda old, e: str(e["b"]))),
        b=(str, field(migrate=lambda old, e: str(e["a"]))),
    )
    assert declared.read("e:1", {"a": 1, "b": 2}) == {"a": "2", "b": "1"}


def test_a_migration_that_changes_the_entity_it_is_shown_changes_nothing_else():
    declared = entity(
        a=(str, field(migrate=lambda old, e: e.pop("keep"))), b=(int, field(migrate=int))
    )
    assert declared.read("e:1", {"keep": "x", "b": "1"}) == {"keep": "x", "a": "x", "b": 1}


def test_a_field_that_replaces_another_takes_its_value_and_its_place():
    declared = entity(title=(str, field(replaces="name")))
    assert declared.read("e:1", {"name": "A", "x": 1}) == {"title": "A", "x": 1}
    assert declared.read("e:1", {"name": "A", "title": "B"}) == {"title": "B"}
    shouting = entity(title=(str, field(replaces="name", migrate=str.upper)))
    assert shouting.read("e:1", {"name": "a"}) == {"title": "A"}


def test_defaults_fill_what_is_missing_or_none_where_it_may_not_be():
    declared = entity(n=(int, 4), o=(int | None, 5), l=(list, field(default_factory=list)))
    assert declared.read("e:1", {"n": None, "o": None}) == {"n": 4, "o": None, "l": []}
    migrated = entity(n=(int, field(default=4, migrate=lambda old: old)))
    assert migrated.read("e:1", {}) == {"n": 4}


def test_migrating_twice_is_migrating_once():
    declared = entity(
        n=(int, field(migrate=int)), title=(str, field(replaces="name")), d=(str, "x")
    )
    once = declared.read("e:1", {"n": "1", "name": "A"})
    assert declared.read("e:1", once) is once


def test_a_failing_migration_names_entity_field_and_key_in_every_mode():
    for mode in ("strict", "warn", "off"):
        with pytest.raises(SchemaError) as caught:
            entity(mode, n=(int, field(migrate=int))).read("e:1", {"n": "x"})
        error = caught.value
        assert (error.entity, error.field, error.key, error.value) == ("e", "n", "e:1", "x")
        assert "its migrate failed: ValueError" in error.rule
        assert isinstance(error.__cause__, ValueError)


def test_a_result_is_a_value_of_its_own_that_can_be_stored():
    shared: list[int] = []
    declared = entity(n=(list, field(migrate=lambda old: shared)))
    declared.read("e:1", {})["n"].append(1)
    assert declared.read("e:1", {}) == {"n": []}
    with pytest.raises(SchemaError, match="its migrate gave what cannot be stored") as caught:
        entity("off", n=(list, field(migrate=lambda old: [object()]))).read("e:1", {})
    assert (caught.value.entity, caught.value.field, caught.value.key) == ("e", "n", "e:1")


def test_a_result_that_does_not_fit_is_refused_where_the_mode_is_strict():
    with pytest.raises(SchemaError, match="must be int"):
        entity(n=(int, field(migrate=str))).read("e:1", {"n": None})
    assert entity("warn", n=(int, field(migrate=str))).read("e:1", {"n": None}) == {"n": "None"}


PROBLEMS = [
    ({}, "n", "is missing"),
    ({"n": "1"}, "n", "must be int"),
    ({"n": -1}, "n", "must pass positive"),
    ({"n": 13}, "n", "its validate said: 13 is bad luck"),
    ({"n": 1, "l": [1]}, "l[0]", "must be str"),
    ([], "", "must be dict, with the declared fields"),
]


def positive(n):
    if n == 13:
        raise ValueError("13 is bad luck")
    return n > 0


@pytest.mark.parametrize(("value", "at", "rule"), PROBLEMS)
def test_what_does_not_fit_is_named(value, at, rule):
    declared = entity(n=(int, field(validate=positive)), l=(list[str], field(default_factory=list)))
    error = declared.problem("e:1", value)
    assert error is not None
    assert (error.entity, error.field, error.key, error.rule) == ("e", at, "e:1", rule)
    with pytest.raises(SchemaError):
        declared.read("e:1", value)
    with pytest.raises(SchemaError):
        declared.accept("e:1", value)


def test_a_validate_that_answers_nothing_passes_nothing():
    assert entity(n=(int, field(validate=lambda n: None))).problem("e:1", {"n": 1}) is not None


def test_a_bare_reference_stands_for_an_entity():
    declared = entity(n=int)
    assert declared.problem("e:latest", Ref("e:1")) is None
    assert declared.read("e:latest", Ref("e:1")) == Ref("e:1")


def test_writing_fills_defaults_but_not_of_required_fields():
    declared = entity(
        a=(int, 1), b=(int, field(default=2, required=True)), c=(int, field(required=False))
    )
    assert declared.accept("e:1", {"b": 3}) == ({"a": 1, "b": 3}, None)
    with pytest.raises(SchemaError, match="'b' of e 'e:1' None: is missing"):
        declared.accept("e:1", {})
    assert declared.read("e:1", {}) == {"a": 1, "b": 2}


def test_a_mode_says_what_becomes_of_values_that_do_not_fit():
    value, problem = entity("warn", n=int).accept("e:1", {})
    assert value == {}
    assert problem is not None
    assert entity("off", n=int).accept("e:1", {}) == ({}, None)
    with pytest.raises(MisuseError, match="mode is"):
        entity("loose", n=int)


@pytest.mark.parametrize("name", ["", "a:b", None])
def test_an_entity_type_is_what_stands_before_the_colon(name: Any):
    with pytest.raises(MisuseError):
        Entity(name, type("E", (), {"__annotations__": {"n": int}}), "strict")


def test_a_field_cannot_replace_one_that_is_declared():
    with pytest.raises(MisuseError, match="declared as well"):
        entity(a=(int, field(replaces="b")), b=int)


def test_links_are_the_references_of_fields_with_an_index():
    declared = entity(deck=(Ref["d"], field(index=True)), more=(dict, field(index=True)), other=Ref)
    value = {
        "deck": Ref("d:1"),
        "more": {"a": [Ref("x:1"), (Ref("x:2"),)], "b": {"c": Ref("d:1")}},
        "other": Ref("y:1"),
    }
    assert declared.links(value) == {
        Link("deck", "d:1"),
        Link("more", "x:1"),
        Link("more", "x:2"),
        Link("more", "d:1"),
    }
    assert declared.links(Ref("e:1")) == set()
