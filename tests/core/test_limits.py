from enum import StrEnum

import pytest

from ramax.core import limits
from ramax.errors import CodecError, DataError, SpaceNameError


class Name(StrEnum):
    A = "a"


CHECKS = [
    (limits.check_key, 1024),
    (limits.check_entity_id, 1024),
    (limits.check_name, 255),
    (lambda value, what: limits.check_name(value, what, 10), 10),
]


@pytest.mark.parametrize(("check", "limit"), CHECKS)
def test_text_is_taken_up_to_its_limit_in_utf8_bytes(check, limit):
    for text in ("a", " ", "contact:c1", "ü" * (limit // 2), "😀" * (limit // 4), "x" * limit):
        check(text, "key")
    for text in ("x" * (limit + 1), "ü" * (limit // 2 + 1), "😀" * (limit // 4 + 1)):
        with pytest.raises(DataError, match=f"{limit}") as caught:
            check(text, "key of the thing")
        assert caught.value.what == "key of the thing"
        assert caught.value.value == text


@pytest.mark.parametrize(("check", "limit"), CHECKS)
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", "must not be empty"),
        ("a\0b", "NUL"),
        ("é\0", "NUL"),
        ("\ud800", "surrogate"),
        (None, "not NoneType"),
        (5, "not int"),
        (b"a", "not bytes"),
        (Name.A, "not Name"),
    ],
)
def test_other_text_and_other_types_are_refused(check, limit, value, rule):
    with pytest.raises(DataError, match=rule):
        check(value, "key")


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1])
def test_sequences_are_what_a_signed_64_bit_column_holds(value):
    limits.check_sequence(value, "sequence")


@pytest.mark.parametrize("value", [-1, 2**63, True, 1.0, "1", None])
def test_other_sequences_are_refused(value):
    with pytest.raises(DataError, match=r"0 to 2\*\*63"):
        limits.check_sequence(value, "sequence")


@pytest.mark.parametrize(
    ("causation_id", "correlation_id"), [(None, None), (1, "a"), (2**63 - 1, "x" * 255)]
)
def test_ids_of_origin_are_optional(causation_id, correlation_id):
    limits.check_optional_id(causation_id, correlation_id)


@pytest.mark.parametrize("value", [0, -1, 2**63, True, "1", 1.0])
def test_a_causation_is_an_event_id(value):
    with pytest.raises(DataError, match="causation_id"):
        limits.check_optional_id(value, None)


@pytest.mark.parametrize("value", ["", "x" * 256, 5, "a\0"])
def test_a_correlation_is_short_text(value):
    with pytest.raises(DataError, match="correlation_id"):
        limits.check_optional_id(None, value)


def test_a_payload_is_at_most_16_mib():
    limits.check_payload_size(bytes(16 * 1024 * 1024), "payload")
    with pytest.raises(CodecError, match="16,777,217 bytes encoded; the limit is 16,777,216"):
        limits.check_payload_size(bytes(16 * 1024 * 1024 + 1), "payload")


@pytest.mark.parametrize("name", ["a", "crm_acme", "a-b", "a1", "default", "x" * 64, "system_"])
def test_good_space_names_are_given_back(name):
    assert limits.validate_space_name(name) is name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "1 to 64"),
        ("x" * 65, "1 to 64"),
        ("1a", "a letter"),
        ("-a", "a letter"),
        ("_a", "a letter"),
        ("A", "a-z"),
        ("a b", "a-z"),
        ("a\n", "a-z"),
        ("ä", "a-z"),
        ("a.b", "a-z"),
        ("_system_", "reserved"),
        ("_system_feed", "reserved"),
        (None, "must be a str"),
        (5, "must be a str"),
        (Name.A, "must be a str"),
    ],
)
def test_bad_space_names_are_refused_with_the_rule(name, rule):
    with pytest.raises(SpaceNameError, match=rule) as caught:
        limits.validate_space_name(name)
    assert caught.value.name == name
