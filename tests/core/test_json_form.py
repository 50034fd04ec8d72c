import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from ramax import Ref
from ramax.core.codec import MAX_DEPTH
from ramax.core.equality import same_value
from ramax.core.json_form import from_json, to_json
from ramax.errors import CodecError
from tests._values import EVERY_TYPE, values

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "wire-format.md"
NAMES = {
    "datetime": datetime,
    "date": date,
    "time": time,
    "timedelta": timedelta,
    "Decimal": Decimal,
    "UUID": UUID,
    "Ref": Ref,
    "UTC": UTC,
    "range": range,
    "frozenset": frozenset,
    "float": float,
}


def there_and_back(value):
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_every_type_comes_back_as_it_was(name):
    assert same_value(there_and_back(EVERY_TYPE[name]), EVERY_TYPE[name])


@given(values)
def test_any_value_comes_back_as_it_was(value):
    assert same_value(there_and_back(value), value)


def test_what_json_has_is_written_as_it_is():
    plain = {"a": [1, -1.5, "x", None, True, {"b": {}}], "c": 2**53 - 1}
    assert to_json(plain) == plain


@pytest.mark.parametrize(
    "value",
    [
        {"$set": [1]},
        {"$": 1},
        {"$dict": {"$ref": "a"}},
        {"a": 1, "$b": 2},
        {1: {2: 3}},
        float("-inf"),
        2**53,
        -(2**53),
        pytest.param(16**5000, id="very long"),
        pytest.param(-(16**5000), id="very negative"),
        datetime(2024, 1, 2, 3),  # noqa: DTZ001 - Elixir's NaiveDateTime
    ],
)
def test_what_looks_like_a_form_and_what_is_at_the_edge_comes_back(value):
    assert same_value(there_and_back(value), value)


def test_nan_comes_back():
    assert same_value(there_and_back(float("nan")), float("nan"))


def test_a_set_is_written_in_one_order():
    assert json.dumps(to_json({"b", "a", "c"})) == '{"$set": ["a", "b", "c"]}'


def test_the_deepest_value_comes_back():
    value: Any = ()
    for _ in range(MAX_DEPTH - 1):
        value = {1: value}
    assert same_value(there_and_back(value), value)


@pytest.mark.parametrize(
    "written",
    [
        {"$nothing": 1},
        {"$bytes": "?"},
        {"$int": 5},
        {"$uuid": "x"},
        {"$range": 1},
        {"$dict": [1]},
        {"$set": [[]]},
        {"$decimal": "a"},
        {"$tuple": [{"$nothing": 1}]},
    ],
)
def test_what_is_no_form_is_refused(written):
    with pytest.raises(CodecError):
        from_json(written)


def test_a_type_that_is_never_stored_is_refused():
    with pytest.raises(CodecError, match="a complex has no form in JSON"):
        to_json({"a": 1j})


def test_the_page_shows_each_form_as_it_is():
    section = PAGE.read_text(encoding="utf-8").partition("## In JSON\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[2:4] for line in section.splitlines() if line.startswith("| ")][1:]
    shown = [(python.strip(" `"), written.strip(" `")) for python, written in rows]
    for python, written in shown:
        assert json.dumps(to_json(eval(python, dict(NAMES)))) == written
    tags = {next(iter(json.loads(written))) for _, written in shown}
    assert tags == set(from_json_tags())


def from_json_tags():
    with pytest.raises(CodecError) as refused:
        from_json({"$nothing": 1})
    return refused.value.rule.removeprefix("must be one of ").split(", ")
