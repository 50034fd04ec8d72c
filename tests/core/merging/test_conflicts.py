"""How conflicts end, as the caller asked."""

from datetime import UTC, datetime

import pytest

from ramax.core.merging.conflicts import (
    MergeConflict,
    Outcome,
    Recorded,
    Verdict,
    check_policy,
    resolve,
)
from ramax.core.merging.knowledge import Origin
from ramax.core.merging.things import Thing
from ramax.errors import DataError, MergeConflictError, MisuseError
from ramax.values import Event, NewEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def verdict(sequence, *, conflict=False, then=()):
    thing = Thing("entity", f"e{sequence}")
    event = Event(sequence, 1, sequence, thing.name, "t", {}, NOW)
    events = [Recorded(event, Origin(1, sequence))]
    found = MergeConflict("s", *thing) if conflict else None
    return Verdict(thing, events, Outcome(events, list(then)), found)


def test_copies_go_over_in_the_order_of_the_source():
    found = resolve([verdict(3), verdict(1), verdict(2)], "fail")
    assert [each.event.space_sequence for each in found.copies] == [1, 2, 3]
    assert found.settling == set()


def test_to_fail_names_every_conflict():
    with pytest.raises(MergeConflictError, match="entity 'e1' of space 's'; entity 'e3'") as raised:
        resolve([verdict(1, conflict=True), verdict(2), verdict(3, conflict=True)], "fail")
    assert [each.name for each in raised.value.conflicts] == ["e1", "e3"]


def test_ours_keeps_and_theirs_takes_and_settles():
    both = [verdict(1, conflict=True), verdict(2)]
    ours, theirs = resolve(both, "ours"), resolve(both, "theirs")
    assert [len(ours.copies), len(ours.kept), len(ours.taken)] == [1, 1, 0]
    assert [len(theirs.copies), len(theirs.kept), len(theirs.taken)] == [2, 0, 1]
    assert (ours.settling, theirs.settling) == (set(), {Origin(1, 1)})


def test_a_function_answers_for_each_conflict():
    made = [NewEvent("merged", entity_id="e3")]
    answers = {"e1": "ours", "e2": "theirs", "e3": made}
    found = resolve([verdict(n, conflict=True) for n in (1, 2, 3)], lambda c: answers[c.name])
    assert [each.event.entity_id for each in found.copies] == ["e2"]
    assert found.new == [(made[0], None)]
    assert [c.name for c in found.kept] == ["e1", "e3"]


@pytest.mark.parametrize("answer", [None, "fail", ["ours"], 3])
def test_a_function_that_gives_no_answer_is_misuse(answer):
    with pytest.raises(MisuseError, match="on_conflict"):
        resolve([verdict(1, conflict=True)], lambda _: answer)


@pytest.mark.parametrize("policy", ["mine", None, 3])
def test_a_policy_that_is_none_is_refused(policy):
    with pytest.raises(DataError, match="on_conflict"):
        check_policy(policy)


def test_a_resolver_can_give_the_value_that_is_to_be():
    conflict = MergeConflict("s", "kv", "k")
    assert [new.payload for new in conflict.with_value(5)] == [{"value": 5}]
    with pytest.raises(MisuseError, match="no one value"):
        MergeConflict("s", "entity", "e").with_value(5)


def test_a_conflict_says_where_it_is():
    assert str(MergeConflict("s", "json", "d", None, ("/a", "/b"))) == (
        "json 'd' of space 's' at /a, /b"
    )
    assert str(MergeConflict("s", "vectors", "v", "k")) == "vectors 'v/k' of space 's'"
