from examples.offline_notes import add_line, notes, write
from ramax.testing import given
from tests.examples.program import run


def test_lines_stand_in_the_order_in_which_they_were_written():
    events = [
        *write({}, {"note": "a"}),
        *add_line({}, {"note": "a", "text": "1"}),
        *write({}, {"note": "a"}),  # another device began it as well
        *add_line({}, {"note": "a", "text": "2"}),
    ]
    assert given(notes, *events) == {"note:a": {"lines": ["1", "2"]}}


def test_two_devices_and_a_server_come_to_the_same(postgres_url: str):
    shown = run("examples/offline_notes.py", postgres_url)
    assert shown == (
        "the phone has loaded:\n  shopping: bread\n"
        "the laptop, cut off:\n  shopping: bread, tea\n"
        "the phone, cut off:\n  shopping: bread, milk\n  trip: tickets\n"
        "the same: False\n"
        "the server:\n  shopping: bread, milk, tea\n  trip: tickets\n"
        "the same: True\n"
    )


def test_the_server_may_be_a_file():
    assert run("examples/offline_notes.py").endswith("the same: True\n")
