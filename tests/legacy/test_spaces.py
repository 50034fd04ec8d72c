import pytest

from ramax.errors import SpaceNameError
from ramax.legacy.spaces import Naming, name_spaces


def named(registered, events, pstate=(), name="default", registry=True, highest=9):
    return name_spaces(registered, events, pstate, name, has_registry=registry, highest_id=highest)


def test_registered_spaces_need_no_name():
    assert named({1: "a", 2: "b"}, {1}, {2}) == Naming({}, 0, frozenset())


def test_a_space_of_a_deleted_name_with_pstate_only_is_an_orphan():
    assert named({1: "a"}, {1}, {1, 2, 3}).orphans == {2, 3}


def test_without_a_registry_nothing_is_an_orphan():
    assert named({}, set(), {2, 3}, registry=False) == Naming(
        {2: "recovered-2", 3: "recovered-3"}, 0, frozenset()
    )


def test_names_that_are_made_are_not_taken_twice():
    found = named({1: "recovered-4", 2: "recovered-4-"}, {4})
    assert found.names == {4: "recovered-4--"}


def test_the_only_space_that_rows_name_gets_the_given_name():
    assert named({}, {7}, name="mine").names == {7: "mine"}
    assert named({1: "a"}, {7}, name="mine").names == {7: "recovered-7"}


def test_rows_without_a_space_get_a_new_one_with_an_id_never_used():
    assert named({1: "a", 2: "b"}, {None}) == Naming({10: "default"}, 10, frozenset())


def test_rows_without_a_space_go_to_the_space_of_the_given_name():
    assert named({1: "a", 2: "default"}, {None}).home == 2


def test_pstate_alone_goes_to_the_only_space_there_is_and_events_do_not():
    assert named({3: "a"}, {3}, {None}).home == 3
    assert named({3: "a"}, {3, None}, {None}).home == 10


def test_a_given_name_has_to_be_one_that_is_allowed():
    with pytest.raises(SpaceNameError):
        named({}, {None}, name="Not This")
