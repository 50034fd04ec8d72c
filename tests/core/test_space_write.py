"""The guard of a space after a write is what the next decision may rest on."""

from ramax.core.event_row import EventRow
from ramax.core.guard import Guard
from ramax.core.space_write import SpaceWrite

GUARD = Guard(4, 10, 1000, 4, frozenset({"a"}), b"old", "index", None, frozenset({"p"}), b"head")


def rows(*sequences):
    return [EventRow(n, "e", "t", b"", 1000 + n, None, None, None) for n in sequences]


def test_a_write_of_nothing_leaves_the_guard_but_for_projections():
    assert SpaceWrite(7, GUARD).after == GUARD._replace(in_step=None)


def test_events_move_what_goes_with_them():
    write = SpaceWrite(
        7,
        GUARD,
        rows(5, 6),
        last_timestamp=1006,
        checkpoint=6,
        domains=frozenset({"a", "b"}),
        version_step=2,
        hashes=[b"5", b"6"],
        in_step=frozenset({"p"}),
        replica=b"new",
    )
    assert write.last_sequence == 6
    assert write.after == Guard(
        6, 12, 1006, 6, frozenset({"a", "b"}), b"6", "index", None, frozenset({"p"}), b"new"
    )


def test_time_never_falls():
    assert SpaceWrite(7, GUARD, rows(5), last_timestamp=3).after.last_timestamp == 1000


def test_an_index_that_was_lost_is_not_in_the_guard():
    assert SpaceWrite(7, GUARD, index_lost=True).after.indexed is None
