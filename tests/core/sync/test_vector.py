from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import advanced, behind, covers, joined, missing
from tests.core.sync.test_record import SAID


def test_what_two_know_together_is_the_higher_of_each():
    assert joined({b"a": 1, b"b": 5}, {b"a": 3}) == {b"a": 3, b"b": 5}


def test_one_covers_another_that_knows_no_more_of_any_origin():
    assert covers({b"a": 2}, {b"a": 2, b"b": 0})
    assert not covers({b"a": 2}, {b"a": 1, b"b": 1})


def test_what_is_missing_is_a_range_of_each_origin():
    assert missing({b"a": 4, b"b": 2}, {b"a": 1, b"b": 2, b"c": 9}) == {b"a": (1, 4)}
    assert behind({b"a": 4, b"b": 2}, {b"a": 1}) == 5


def test_records_move_the_vector_of_their_origin():
    record = EventRecord(*SAID, b"")
    assert advanced({b"x": 1}, [record, record._replace(origin_seq=2)]) == {b"x": 1, b"o" * 16: 2}
