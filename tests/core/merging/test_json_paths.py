"""Where two changes of a document meet, and both together where they do not."""

import pytest

from ramax.core.datatypes.json_value import MISSING
from ramax.core.merging.json_paths import (
    DoesNotApplyError,
    changed_paths,
    delta,
    meeting,
    pointer,
    same,
    together,
)


def test_paths_meet_where_they_are_the_same_or_one_leads_into_the_other():
    ours = [("a", "b"), ("x",)]
    theirs = [("a",), ("a", "b"), ("a", "b", 0), ("a", "c"), ("x", "y"), ("z",)]
    assert meeting(ours, theirs) == [("a",), ("a", "b"), ("a", "b", 0), ("x", "y")]


def test_a_whole_document_meets_every_path():
    assert meeting([()], [("a",)]) == [("a",)]
    assert meeting([("a",)], [()]) == [()]


def test_a_pointer_escapes_as_the_rfc_says():
    assert [pointer(()), pointer(("a/b", "c~d", 0))] == ["", "/a~1b/c~0d/0"]


def test_changes_are_made_together_on_what_the_other_side_has():
    base, mine = {"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}
    change = delta(base, {"a": 5, "b": {"c": 1}})
    assert changed_paths(change) == {("a",)}
    assert together(mine, [change]) == {"a": 5, "b": {"c": 2}}
    assert mine == {"a": 1, "b": {"c": 2}}


def test_a_change_that_leads_nowhere_does_not_apply():
    with pytest.raises(DoesNotApplyError):
        together({"a": 1}, [[["set", ["a", "b"], 1]]])


def test_no_document_is_not_null():
    assert same(MISSING, MISSING)
    assert not same(MISSING, None)
    assert delta(MISSING, MISSING) == []
    assert together(MISSING, [delta(MISSING, None)]) is None
