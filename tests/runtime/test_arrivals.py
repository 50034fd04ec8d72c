"""Waiters for a checkpoint are woken when it moves, and forgotten when they leave."""

from ramax.runtime.arrivals import Arrivals


def test_only_who_waits_for_the_checkpoint_is_woken():
    arrivals = Arrivals()
    with arrivals.watching(1, "search") as mine, arrivals.watching(2, "search") as theirs:
        arrivals.moved(1, "search")
        assert (mine.is_set(), theirs.is_set()) == (True, False)
        arrivals.moved(1, "other")
        arrivals.moved(3, "search")
        assert not theirs.is_set()


def test_nothing_stays_of_who_has_left():
    arrivals = Arrivals()
    with arrivals.watching(1, "search") as one:
        with arrivals.watching(1, "search"):
            pass
        arrivals.moved(1, "search")
        assert one.is_set()
    assert not arrivals._waiters
