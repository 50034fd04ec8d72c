# mypy: disable-error-code="type-arg, name-defined, misc, index, func-returns-value"

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest

from ramax import MisuseError, Ref
from ramax.core.annotations import accepts_none, check_of, check_of_fields

NOW = datetime(2024, 2, 3, tzinfo=UTC)


def check(annotation):
    return check_of(annotation, lambda _: None)


def problem(annotation, value):
    return check(annotation).problem(value)


FITS: list[tuple[Any, list[Any], list[Any]]] = [
    (str, ["", "a"], [1, None, b"a"]),
    (int, [0, 2**70], [True, 1.0, "1"]),
    (float, [0.5, 1], [True, "1", Decimal(1)]),
    (bool, [True], [1, None]),
    (bytes, [b""], ["", None]),
    (datetime, [NOW], [NOW.date(), "2024-02-03"]),
    (date, [NOW.date()], [NOW]),
    (Decimal, [Decimal("1.0")], [1, 1.0]),
    (UUID, [UUID(int=1)], [str(UUID(int=1))]),
    (None, [None], [0, ""]),
    (Any, [None, 1, ...], []),
    (list, [[], [1, "a"]], [(), {}, "a"]),
    (list[int], [[], [1]], [["1"], (1,), [1, None]]),
    (Sequence[int], [[1]], [(1,)]),
    (set[str], [{"a"}], [["a"], {1}]),
    (frozenset, [frozenset({1})], [{1}]),
    (tuple[int, str], [(1, "a")], [(1,), ("a", 1), [1, "a"]]),
    (tuple[int, ...], [(), (1, 2)], [("a",), [1]]),
    (tuple, [(), (1, "a")], [[]]),
    (dict, [{}, {1: 2}], [[], None]),
    (dict[str, int], [{}, {"a": 1}], [{1: 1}, {"a": "1"}]),
    (Mapping[str, int], [{"a": 1}], [{"a": None}]),
    (Ref, [Ref("x")], ["x", None]),
    (Ref["card"], [Ref("card:1")], [Ref("cards:1"), Ref("card"), "card:1"]),
    (Annotated[Ref, "card"], [Ref("card:1")], [Ref("deck:1")]),
    (dict[str, Ref["card"]], [{"1": Ref("card:1")}], [["1"], {"1": "card:1"}]),
    (list[Ref["card"]], [[Ref("card:1")]], [[Ref("deck:1")]]),
    (Optional[int], [None, 1], ["1"]),
    (int | str, [1, "a"], [None, 1.5]),
    (Literal["a", 1], ["a", 1], ["b", True, 1.0]),
    (Annotated[int, "a note"], [1], ["1"]),
]


@pytest.mark.parametrize(("annotation", "fitting", "others"), FITS, ids=lambda each: str(each)[:40])
def test_a_value_fits_as_it_is_or_not_at_all(annotation, fitting, others):
    assert [v for v in fitting if problem(annotation, v) is not None] == []
    assert [v for v in others if problem(annotation, v) is None] == []


@pytest.mark.parametrize(
    ("annotation", "value", "path", "inside", "rule"),
    [
        (int, "1", "", "1", "must be int"),
        (list[int], [1, "2"], "[1]", "2", "must be int"),
        (tuple[int, str], (1, 2), "[1]", 2, "must be str"),
        (dict[str, list[int]], {"a": [1, None]}, "['a'][1]", None, "must be int"),
        (dict[str, int], {1: 1}, "", 1, "key must be str"),
        (set[int], {"x"}, "", "x", "must be int"),
        (Ref["card"], 1, "", 1, "must be a Ref to card"),
        (int | None, "1", "", "1", "must be int or None"),
        (list[int] | None, ["1"], "[0]", "1", "must be int"),
        (Literal["a", "b"], "c", "", "c", "must be one of 'a', 'b'"),
    ],
)
def test_a_problem_says_where_what_and_why(annotation, value, path, inside, rule):
    assert problem(annotation, value) == (path, inside, rule)


@pytest.mark.parametrize("annotation", [complex, list[complex], "str", Ref["a:b"], Ref[""]])
def test_what_no_value_can_be_checked_by_is_refused_when_it_is_declared(annotation):
    with pytest.raises(MisuseError):
        check(annotation)


def test_a_class_inside_is_a_dict_with_its_fields():
    place = check_of_fields("Place", {"city": (check(str), True), "zip": (check(int), False)})
    assert place.problem({"city": "Rome"}) is None
    assert place.problem({}) == ("city", None, "is missing")
    assert place.problem({"city": "Rome", "zip": "1"}) == ("zip", "1", "must be int")
    assert place.problem("Rome") == ("", "Rome", "must be dict, with the fields of Place")


def test_who_takes_none_says_so():
    assert accepts_none(check(int | None))
    assert not accepts_none(check(int))
