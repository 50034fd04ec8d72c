import re

from examples.space_demo import count, counting
from ramax import NewEvent
from ramax.testing import given
from tests.examples.program import run

ONE = {"counter": "visits", "by": 1}


def test_counting_adds_up():
    counted = NewEvent("counted", ONE)

    assert count({}, ONE) == [counted]
    assert given(counting, counted, counted) == {"counter:visits": 2}


def test_the_program_goes_through_the_life_of_a_space(durable_url: str):
    shown = run("examples/space_demo.py", durable_url)

    assert "demo_acme has id 1 and metadata {'plan': 'pro'}" in shown
    assert "a space 'demo_acme' exists already" in shown
    assert "demo_initech: False" in shown
    assert "demo_acme    visits = 2, events [1, 2]\n   demo_globex  visits = 10" in shown
    assert "demo_acme    counter:visits\n   demo_globex  counter:visits, note\n" in shown
    assert "is not empty (2 events, 1 keys)" in shown
    assert re.search(r"created again, demo_acme has id [3-9], 0 keys and sequence 0\n", shown)


def test_the_program_leaves_nothing_behind(durable_url: str):
    first, second = (run("examples/space_demo.py", durable_url) for _ in range(2))

    assert re.sub(r"id \d+", "id", first) == re.sub(r"id \d+", "id", second)
    assert set(re.findall(r"id \d+", first)).isdisjoint(re.findall(r"id \d+", second))


def test_the_program_runs_in_memory_by_default():
    assert "visits = 2" in run("examples/space_demo.py")
