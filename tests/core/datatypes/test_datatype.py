"""Names and keys of data types, which nothing of an application can be."""

import pytest

from ramax import Domain, MisuseError
from ramax.core.datatypes import TYPES, find_type
from ramax.core.datatypes.datatype import DataType, check_own_name
from ramax.core.keys import FIRST
from ramax.core.limits import check_key
from ramax.errors import DataError


def test_the_keys_of_each_type_lie_apart_and_below_every_application_key():
    prefixes = [each.prefix for each in TYPES.values()]
    assert all(prefix < FIRST for prefix in prefixes)
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and a.startswith(b)]
    for prefix in prefixes:
        with pytest.raises(DataError, match="data types"):
            check_key(prefix + "x", "key")


def test_a_type_is_found_by_any_of_its_events():
    for each in TYPES.values():
        assert find_type(each.type("whatever.it.is")) is each


def test_no_domain_handles_an_event_of_a_data_type():
    with pytest.raises(MisuseError, match="data types"):
        Domain("mine").applicator("ramax.kv.put")(lambda _state, _event: None)


def test_a_type_is_complete_when_ramax_is_imported():
    with pytest.raises(MisuseError, match="in use"):
        TYPES["ramax.kv"].applicator("ramax.kv.more")(lambda _state, _event: None)


def test_a_type_is_no_domain_that_a_space_remembers():
    assert DataType("x").own
    assert not Domain("x").own


@pytest.mark.parametrize("wrong", ["", "a\0b", "x" * 901, "é" * 451, None, 1, b"a"])
def test_what_cannot_be_a_name_is_refused(wrong):
    with pytest.raises(DataError, match="the name"):
        check_own_name(wrong, "the name")


@pytest.mark.parametrize("name", ["a", "x" * 900, "é" * 450, "\x01", "\x1f", "a/b:c", " "])
def test_whatever_else_is_text_is_a_name(name):
    assert check_own_name(name, "the name") == name
