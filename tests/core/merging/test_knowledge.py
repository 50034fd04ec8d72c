"""What is known: up to a sequence, and single events above it."""

from ramax.core.merging.knowledge import Knowledge, Origin


def test_everything_up_to_a_sequence_is_known_and_single_events_above_it():
    known = Knowledge({1: 5}, {Origin(1, 8), Origin(2, 3)})
    assert [known.knows(Origin(1, n)) for n in (1, 5, 6, 8)] == [True, True, False, True]
    assert [known.knows(Origin(2, n)) for n in (1, 3)] == [False, True]
    assert not known.knows(Origin(3, 1))


def test_beyond_is_only_what_is_known_further():
    mine, theirs = Knowledge({1: 5, 2: 2, 3: 1}), Knowledge({1: 5, 2: 1, 4: 9})
    assert mine.beyond(theirs) == {2: 2, 3: 1}
