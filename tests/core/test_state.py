"""The packed layers of a unit of work: what was read, what is kept, what is pending."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.keys import prefix_end
from ramax.core.state import (
    KeysMissingError,
    NothingStored,
    SpaceState,
    StateUnavailableError,
    Tagged,
    unpack,
)
from tests.core._sources import Broken, Stored, packed

TOP = prefix_end("")


def test_a_key_is_asked_for_once():
    source = Stored(a=1)
    state = SpaceState(source)
    for _ in range(3):
        assert state.packed("a") == packed(1)
        assert state.packed("missing") is None
    assert source.asked == ["a", "missing"]
    assert state.known == {"a": packed(1), "missing": None}


def test_what_is_known_before_is_not_asked_for():
    source = Stored(a=1)
    state = SpaceState(source, {"a": packed(2), "b": None})
    assert (state.packed("a"), state.packed("b")) == (packed(2), None)
    assert source.asked == []


def test_the_running_command_sees_its_own_writes_over_kept_ones_over_stored_ones():
    state = SpaceState(Stored(a=1, b=1, c=1))
    state.written = {"b": packed(2), "c": packed(2)}
    state.pending = {"c": packed(3)}
    assert [unpack(state.packed(key) or b"") for key in "abc"] == [1, 2, 3]
    assert [state.peek(key) for key in "abc"] == [packed(1), packed(2), packed(3)]


def test_a_peek_reads_nothing():
    source = Stored(a=1)
    assert SpaceState(source).peek("a") is None
    assert source.asked == []


def test_keys_are_sorted_and_complete_over_all_layers():
    source = Stored(b=1, z=1, gone=1)
    state = SpaceState(source)
    state.written = {"a": packed(1), "gone": None}
    state.pending = {"c": packed(1), "z": None}
    assert state.keys("", TOP) == ["a", "b", "c"]
    assert state.packed("new") is None
    assert source.asked == ["*"]  # after that, nothing is unknown


def test_a_key_that_was_read_before_keeps_its_value_when_all_are_read():
    source = Stored(a=1)
    state = SpaceState(source)
    state.packed("a")
    source.values = {"a": packed(2), "b": packed(2)}
    assert state.keys("", TOP) == ["a", "b"]
    assert state.packed("a") == packed(1)


def test_keep_and_discard():
    state = SpaceState(Stored())
    state.pending = {"a": packed(1)}
    state.keep()
    state.pending = {"a": None, "b": packed(1)}
    state.failure = KeyError("x")
    state.discard()
    assert state.written == {"a": packed(1)}
    assert state.pending == {}
    assert state.failure is None


@pytest.mark.parametrize("read", [lambda s: s.packed("a"), lambda s: s.keys("", TOP)])
def test_a_failure_behind_the_state_is_remembered(read):
    state = SpaceState(Broken())
    with pytest.raises(StateUnavailableError):
        read(state)
    assert isinstance(state.failure, StateUnavailableError)


def test_such_failures_pass_through_except_exception():
    assert not issubclass(StateUnavailableError, Exception)
    assert issubclass(KeysMissingError, StateUnavailableError)
    assert KeysMissingError(["a", "b"]).keys == ("a", "b")


def test_each_unpacking_gives_a_value_of_its_own():
    data = packed({"a": [1]})
    one, other = unpack(data), unpack(data)
    one["a"].append(2)
    assert other == {"a": [1]}


def test_a_tagged_value_is_decoded_by_its_format():
    assert unpack(Tagged(b'{"a": [1]}', "json")) == {"a": [1]}


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.just(1), max_size=8),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([1, None]), max_size=8),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([1, None]), max_size=8),
    st.sampled_from("abcdefgh"),
    st.sampled_from("abcdefgh"),
    st.booleans(),
)
def test_the_nearest_key_is_that_of_a_range_that_was_read(
    stored, written, pending, low, high, down
):
    def state():
        made = SpaceState(Stored(**stored))
        for changes, where in ((written, made.written), (pending, made.pending)):
            where.update({key: value and packed(value) for key, value in changes.items()})
        return made

    there = state().keys(low, high)
    wanted = None if not there else there[-1 if down else 0]
    assert state().nearest(low, high, down=down) == wanted
    known = state()
    known.keys(low, high)
    assert known.nearest(low, high, down=down) == wanted


def test_a_failed_search_for_a_key_is_not_for_the_domain_to_catch():
    state = SpaceState(Broken())
    with pytest.raises(StateUnavailableError):
        state.nearest("a", "b")
    assert state.failure is not None


def test_where_nothing_is_stored_every_key_is_absent():
    state = SpaceState(NothingStored())
    assert state.packed("a") is None
    assert state.keys("", "z") == []
