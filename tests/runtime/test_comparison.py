"""Which keys differ, and what is known of them."""

from hypothesis import given
from hypothesis import strategies as st

from ramax.runtime.comparison import MAYBE, NEW, Comparison

values = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.sampled_from([b"1", b"2"]))


@given(values, values, st.sets(st.text("abc", min_size=1, max_size=3)), st.integers(1, 5))
def test_a_key_is_named_once_if_it_is_on_one_side_only_or_differs_or_was_put(
    new, stored, direct, size
):
    comparison = Comparison(iter(sorted(new.items())))
    rows = [(key, value, "msgpack", int(key in direct)) for key, value in sorted(stored.items())]
    found: list[tuple[str, bytes]] = []
    more = True
    while more:
        page = [row for row in rows if row[0] > comparison.after][:size]
        more = len(page) == size
        found += comparison.differing(page, more=more)
    expected = {key for key in new | stored if new.get(key) != stored.get(key)}
    expected |= direct & stored.keys()
    assert [key for key, _ in found] == sorted(expected)
    assert {key for key, mark in found if mark == NEW} == new.keys() - stored.keys()


def test_a_value_in_an_old_format_differs_from_the_same_bytes():
    comparison = Comparison(iter([("a", b"1")]))
    assert list(comparison.differing([("a", b"1", "etf", 0)], more=False)) == [("a", MAYBE)]
