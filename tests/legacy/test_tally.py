from ramax.legacy.tally import Tally


def tally(*sequences, kept=None, renumbered=False):
    """Count events 10, 20, 30 … with these sequences."""
    found = Tally(renumbered, kept)
    for number, sequence in enumerate(sequences, 1):
        found.add(number * 10, sequence, number * 1_000)
    return found


def test_growing_sequences_are_kept_with_their_gaps():
    found = tally(1, 2, 5)
    assert (found.renumbered, found.count, found.end) == (False, 3, (30, 5))
    assert (found.first_timestamp, found.last_timestamp) == (1_000, 3_000)


def test_sequences_that_stand_or_fall_or_are_none_are_replaced_by_ranks():
    for sequences in ((0, 0, 0), (1, 1), (1, 3, 2), (None,), (0, 1, 2), ("1", 2)):
        found = tally(*sequences)
        assert found.renumbered
        assert found.end == (10 * len(sequences), len(sequences))


def test_nothing_is_at_the_beginning():
    found = tally()
    assert (found.renumbered, found.end, found.at_kept, found.first_timestamp) == (
        False,
        (0, 0),
        (0, 0),
        None,
    )


def test_the_last_event_before_sequences_began_again_is_remembered():
    assert tally(0, 0, 1, 2).before_restart == (20, 2)
    assert tally(1, 2, 1, 2, 1).before_restart == (40, 4)
    assert tally(1, 2, 3).before_restart == (30, 3)


def test_a_kept_checkpoint_is_brought_into_bounds():
    assert tally(1, 2, 3, kept=(20, 2)).at_kept == (20, 2)
    assert tally(1, 2, 3, kept=(0, 50)).at_kept == (30, 3)
    assert tally(1, 2, 3, kept=(30, -1)).at_kept == (0, 0)
    assert tally(1, 2, 5, kept=(30, 3)).at_kept == (0, 3)  # no event has that sequence


def test_where_sequences_are_replaced_a_kept_checkpoint_goes_by_its_event():
    assert tally(0, 0, 0, kept=(20, 9)).at_kept == (20, 2)
    assert tally(0, 0, 0, kept=(25, 9)).at_kept == (20, 2)
    assert tally(1, 2, renumbered=True, kept=(5, 1)).at_kept == (0, 0)


def test_the_latest_time_counts_even_if_clocks_went_back():
    found = Tally(renumbered=False)
    for event_id, moment in ((1, 5), (2, 9), (3, 7)):
        found.add(event_id, event_id, moment)
    assert (found.first_timestamp, found.last_timestamp) == (5, 9)
