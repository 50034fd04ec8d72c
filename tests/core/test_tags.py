import pytest

from ramax.core.tags import MAX_TAGS, checked_tags, pack_tags, unpack_tags
from ramax.errors import DataError


def test_tags_are_a_set_in_order():
    assert checked_tags(["b", "a", "b"], "tags") == ["a", "b"]
    assert checked_tags({"x"}, "tags") == ["x"]
    assert checked_tags((), "tags") == []


@pytest.mark.parametrize(
    ("tags", "rule"),
    [
        ("abc", "must be a list of str"),
        (b"abc", "must be a list of str"),
        (7, "must be a list of str"),
        (iter(["x"]), "must be a list of str"),
        ([""], "must not be empty"),
        ([7], "must be a str, not int"),
        (["x" * 256], "longer than 255"),
        (["a\0b"], "NUL"),
        ([str(n) for n in range(MAX_TAGS + 1)], "the limit is 64"),
    ],
)
def test_what_cannot_be_a_tag_is_named(tags, rule):
    with pytest.raises(DataError, match=rule) as caught:
        checked_tags(tags, "tags of t")
    assert caught.value.what == "tags of t"


def test_the_most_tags_of_the_greatest_length_pass():
    assert len(checked_tags([f"{n:0255}" for n in range(MAX_TAGS)], "tags")) == MAX_TAGS


def test_packed_tags_come_back_and_none_of_them_is_no_bytes():
    assert unpack_tags(pack_tags(["a", "ä"])) == ("a", "ä")
    assert pack_tags([]) is None
    assert unpack_tags(None) == ()
