"""Ranges of keys: what `scan` and `count` compare in the database."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ramax.core.keys import prefix_end

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(text, text)
@example("a", "a\U0010ffff")
@example("\U0010ffff", "\U0010ffff\U0010ffff")
@example("\ud7ff", "\ue000")
@example("", "\U0010ffff" * 256)
def test_a_range_holds_exactly_the_keys_with_the_prefix(prefix, key):
    for each in (key, prefix + key):
        inside = prefix <= each < prefix_end(prefix)
        assert inside == each.startswith(prefix)


@given(text, text)
def test_code_points_and_bytes_order_alike(prefix, key):
    assert (key < prefix_end(prefix)) == (key.encode() < prefix_end(prefix).encode())


@pytest.mark.parametrize(
    ("prefix", "end"), [("a", "b"), ("a:", "a;"), ("a\U0010ffff", "b"), ("\ud7ff", "\ue000")]
)
def test_the_end_is_the_smallest_text_above(prefix, end):
    assert prefix_end(prefix) == end
