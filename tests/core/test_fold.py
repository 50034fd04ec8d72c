"""Folding a history, and whose fold a pstate is."""

import pytest

from ramax import Domain, DomainMismatchError
from ramax.core.fold import check_fit, fold
from ramax.core.state import SpaceState, StateUnavailableError
from ramax.errors import CodecError, FoldError, MisuseError
from ramax.values import applied_event
from tests.core._sources import Broken, Stored, packed

domain = Domain("d")


@domain.applicator("set")
def put(state, event):
    state[event.entity_id] = event.payload


@domain.applicator("nest")
def nest(state, event):
    state.setdefault(event.entity_id, {})["x"] = event.space_sequence


@domain.applicator("drop")
def drop(state, event):
    del state[event.entity_id]


@domain.applicator("bad")
def bad(state, event):
    state["bad"] = object()


def events(*types, start=1):
    return [
        applied_event(sequence, "e", event_type, {"n": sequence}, 0, None, None, None)
        for sequence, event_type in enumerate(types, start)
    ]


def test_events_are_applied_in_order_and_counted():
    state = SpaceState(Stored())
    assert fold(domain, state, events("set", "nest", "unknown"), "acme") == 3
    assert state.written == {"e": packed({"n": 1, "x": 2})}
    assert state.pending == {}


def test_no_events_change_nothing():
    state = SpaceState(Stored(e=1))
    assert fold(domain, state, [], "acme") == 0
    assert state.written == {}


@pytest.mark.parametrize(
    ("types", "cause"), [(("set", "drop", "drop"), KeyError), (("set", "nest", "bad"), CodecError)]
)
def test_an_applicator_that_fails_names_the_event_and_nothing_stays(types, cause):
    state = SpaceState(Stored())
    with pytest.raises(FoldError, match=r"event 9 of space 'acme'") as caught:
        fold(domain, state, events(*types, start=7), "acme")
    assert (caught.value.space, caught.value.sequence) == ("acme", 9)
    assert caught.value.event_type == types[-1]
    assert isinstance(caught.value.__cause__, cause)
    assert (state.written, state.pending) == ({}, {})


def test_what_was_kept_before_stays():
    state = SpaceState(Stored())
    fold(domain, state, events("set"), "acme")
    with pytest.raises(FoldError):
        fold(domain, state, events("nest", "drop", "drop", start=2), "acme")
    assert state.written == {"e": packed({"n": 1})}


def test_an_applicator_that_returns_something_names_the_event():
    returning = Domain("d", event_applicator=lambda state, _: state)
    with pytest.raises(FoldError) as caught:
        fold(returning, SpaceState(Stored()), events("a"), "acme")
    assert isinstance(caught.value.__cause__, MisuseError)


@pytest.mark.parametrize("catch", [Exception, BaseException])
def test_a_storage_failure_is_not_the_applicators(catch):
    def swallowing(state, event):
        try:
            state.get("e")
        except catch:
            state["e"] = "made up"

    with pytest.raises(StateUnavailableError):
        fold(Domain("d", event_applicator=swallowing), SpaceState(Broken()), events("a"), "acme")


def test_a_damaged_value_that_the_applicator_caught_names_the_event():
    def swallowing(state, event):
        try:
            state["e"]["n"] += 1
        except Exception:
            state["e"] = {"n": 1}

    state = SpaceState(Stored(), {"e": b"\xc1"})
    with pytest.raises(FoldError, match="event 1") as caught:
        fold(Domain("d", event_applicator=swallowing), state, events("a"), "acme")
    assert isinstance(caught.value.__cause__, CodecError)
    assert state.written == {}


# -- whose fold ----------------------------------------------------------------------------------


def one(name, *types):
    made = Domain(name)
    for event_type in types:
        made.applicator(event_type)(lambda *_: None)
    return made


def never(_upto):
    raise AssertionError("the types need not be read")


def fit(given, recorded, folded=5, past=()):
    names = None if recorded is None else frozenset(recorded)
    return check_fit(given, names, folded, "acme", lambda _: frozenset(past))


def test_the_same_domains_fit_without_a_look_at_the_log():
    both = Domain.combine(one("a", "x"), one("b", "y"))
    assert check_fit(both, frozenset("ab"), 5, "acme", never) == frozenset("ab")


def test_where_nothing_was_recorded_or_folded_every_domain_fits():
    assert check_fit(one("a"), None, 5, "acme", never) == {"a"}
    assert check_fit(one("a"), frozenset({"b"}), 0, "acme", never) == {"a"}


def test_a_handle_that_lacks_a_recorded_domain_does_not_fit():
    with pytest.raises(DomainMismatchError, match="folded by 'b'") as caught:
        fit(one("a", "x"), "ab")
    assert caught.value.missing == ("b",)


def test_a_new_part_fits_as_long_as_none_of_its_events_is_past():
    both = Domain.combine(one("a", "x"), one("b", "y"))
    assert fit(both, "a", past=["x", "other"]) == {"a", "b"}
    with pytest.raises(DomainMismatchError, match="events of type y were folded without 'b'"):
        fit(both, "a", past=["x", "y"])


def test_a_new_part_that_takes_all_others_comes_late_for_any_of_them():
    both = Domain.combine(one("a", "x"), one("b", "*", "y"))
    assert fit(both, "a", past=["x"]) == {"a", "b"}
    for past in (["y"], ["other"]):
        with pytest.raises(DomainMismatchError, match="folded without 'b'"):
            fit(both, "a", past=past)
