"""What is expected is compared with what is stored and with what the batch adds before."""

from typing import Any

import pytest

from ramax import ConcurrencyError, DataError, Domain, MisuseError, NewEvent, Query
from ramax.core.expectation import (
    check_head,
    expect_no_match,
    expect_versions,
    expect_versions_of,
)
from ramax.core.guard import Guard
from ramax.core.new_events import Causes
from ramax.core.unit import SpaceUnit


class Stored:
    """A log of 10 events: two of `e`, at 3 and 7, tagged `x`."""

    def types_up_to(self, _upto: int) -> frozenset[str]:
        return frozenset()

    def count_of(self, entity_id: str, upto: int, most: int) -> int:
        assert upto == 10
        return min(2, most) if entity_id == "e" else 0

    def standing_at(self, _sequence: int) -> frozenset[str]:
        return frozenset()

    def newest_match(self, query: Query, after: int, upto: int) -> int | None:
        assert upto == 10
        hits = [n for n in (3, 7) if n > after and query.matches("t", "e", ("x",))]
        return hits[-1] if hits else None


class NoState:
    def load(self, _key: str) -> None:
        return None

    def load_range(self, _low: str, _high: str) -> dict[str, Any]:
        return {}

    def load_nearest(self, _low: str, _high: str, _end: str) -> None:
        return None


def unit(*before: NewEvent) -> SpaceUnit:
    made = SpaceUnit(1, "s", Guard(10, 0, 0, 10, None), NoState())
    made.append(None, before, Causes(), 1)
    return made


E, F = NewEvent("t", {}, entity_id="e"), NewEvent("u", {}, entity_id="f", tags=["y"])


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ((), {"e": 2}),
        ((), {"e": "exists"}),
        ((), {"f": 0}),
        ((), {"f": "none"}),
        ((), {"e": 2, "f": "none"}),
        ((E,), {"e": 3}),
        ((F,), {"f": 1}),
        ((F,), {"f": "exists", "e": 2}),
    ],
)
def test_versions_that_fit_pass(before, expected):
    expectation = expect_versions(expected)
    assert expectation is not None
    expectation.check(unit(*before), Stored())


@pytest.mark.parametrize(
    ("before", "expected", "actual"),
    [
        ((), 1, 2),
        ((), 3, 2),
        ((), 0, 2),
        ((), "none", 2),
        ((E, E), 2, 4),
        ((E,), "none", 3),
    ],
)
def test_versions_that_do_not_fit_say_what_is_there(before, expected, actual):
    expectation = expect_versions({"e": expected})
    assert expectation is not None
    with pytest.raises(ConcurrencyError) as caught:
        expectation.check(unit(*before), Stored())
    error = caught.value
    assert (error.space, error.expected, error.actual, error.entity_id) == (
        "s",
        expected,
        actual,
        "e",
    )
    assert "entity 'e' of space 's' has" in str(error)
    assert error.retryable


def test_an_entity_that_only_the_batch_has_exists():
    expectation = expect_versions({"f": "exists"})
    assert expectation is not None
    with pytest.raises(ConcurrencyError):
        expectation.check(unit(), Stored())
    expectation.check(unit(F), Stored())


@pytest.mark.parametrize(
    ("before", "query", "after", "match"),
    [
        ((), Query(tags=["x"]), 0, 7),
        ((), Query(tags=["x"]), 6, 7),
        ((), Query(tags=["x"]), 7, None),
        ((), Query(tags=["y"]), 0, None),
        ((F,), Query(tags=["y"]), 0, 11),
        ((F, E, F), Query(tags=["y"]), 10, 13),
        ((F,), Query(tags=["y"]), 11, None),
        ((E,), Query(entities=["e"]), 10, 11),
        ((E,), Query(types=["u"]), 10, None),
    ],
)
def test_a_boundary_sees_the_log_and_the_batch(before, query, after, match):
    boundary = expect_no_match(query, after)
    if match is None:
        boundary.check(unit(*before), Stored())
        return
    with pytest.raises(ConcurrencyError) as caught:
        boundary.check(unit(*before), Stored())
    assert (caught.value.expected, caught.value.actual) == (after, match)
    assert caught.value.query == query
    assert f"event {match} of space 's' matches {query!r}" in str(caught.value)


def test_nothing_expected_is_nothing_to_check():
    assert expect_versions(None) is None
    assert expect_versions_of([E], None, None) is None


def test_one_version_is_that_of_the_one_entity():
    domain = Domain("d", entity_id=lambda payload: payload["id"])
    named = [NewEvent("t", {"id": "e"}), E]
    expectation = expect_versions_of(named, domain, 2)
    assert expectation is not None
    assert expectation.versions == {"e": 2}
    with pytest.raises(MisuseError, match="events of 2 entities"):
        expect_versions_of([E, F], None, 2)
    assert expect_versions_of([E, F], None, {"e": 2, "f": "none"}) is not None


def test_a_command_says_which_entity():
    with pytest.raises(MisuseError, match="expected_version={entity_id: 3}"):
        expect_versions(3)


@pytest.mark.parametrize("version", [-1, "any", 1.0, None, True, [1]])
def test_a_version_is_a_number_none_or_exists(version):
    with pytest.raises(DataError, match="expected_version"):
        expect_versions({"e": version})


def test_a_boundary_is_a_query_and_a_sequence():
    for wrong in (None, "x", ["a"]):
        with pytest.raises(MisuseError, match="must be a Query"):
            expect_no_match(wrong, 0)
    for after in (-1, "1", None):
        with pytest.raises(DataError, match="after"):
            expect_no_match(Query(), after)
    with pytest.raises(DataError, match="entity id"):
        expect_versions({"": 1})


@pytest.mark.parametrize("expected", [0, 9, 11])
def test_a_head_that_is_not_there_names_both_sequences(expected: int) -> None:
    with pytest.raises(ConcurrencyError) as caught:
        check_head(unit(), expected)
    assert (caught.value.expected, caught.value.actual) == (expected, 10)


def test_a_head_counts_the_units_own_events() -> None:
    check_head(unit(E, F), 12)
