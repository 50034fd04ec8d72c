import pytest

from ramax import DataError
from ramax.runtime.terms import Terms
from tests._each import each

WRONG = [
    {"start": "end"},
    {"start": -1},
    {"start": True},
    {"start": 1.5},
    {"start": None},
    {"buffer": 0},
    {"buffer": 2.0},
    {"partitions": 0},
    {"poll_interval": 0},
    {"poll_interval": True},
    {"poll_interval": "1"},
    {"lease": -1},
    {"lease": 86_401},
    {"follow": 1},
    {"follow": "no"},
]


@each("wrong", WRONG)
async def test_a_term_that_cannot_be_is_named(wrong):
    (name,) = wrong
    with pytest.raises(DataError, match=name):
        Terms(**wrong)


def test_the_usual_ones_are_fine():
    for start in ("beginning", "now", 0, 7):
        assert Terms(start=start, poll_interval=0.5, lease=1).start == start
