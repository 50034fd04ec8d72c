"""Knots in graphs of links, against a slow definition of them."""

from hypothesis import given
from hypothesis import strategies as st

from ramax.core.knots import knots

NAMES = "abcdefg"
graphs = st.fixed_dictionaries({n: st.lists(st.sampled_from(NAMES), max_size=4) for n in NAMES})


def reached(links, start):
    """What links lead to from ``start``, itself only if on a circle."""
    found: set[str] = set()
    waiting = list(links[start])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += links[each]
    return found


@given(graphs)
def test_two_keys_are_one_knot_exactly_if_each_leads_to_the_other(links):
    number = knots(links)
    assert set(number) == set(links)
    for one in links:
        for other in links:
            both = other in reached(links, one) and one in reached(links, other)
            assert (number[one] == number[other]) == (both or one == other)


def test_a_chain_longer_than_the_call_stack_is_no_trouble():
    links = {str(n): [str(n + 1)] for n in range(20_000)} | {"20000": ["0"]}
    assert len(set(knots(links).values())) == 1
    links["20000"] = []
    assert len(set(knots(links).values())) == 20_001
