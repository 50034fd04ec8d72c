from ramax.core.sync.place import BEGINNING, FoldPlace


def test_a_place_counts_events_and_knows_the_newest_of_each_origin():
    place = FoldPlace()
    assert (place.last, place.events, place.vector) == (BEGINNING, 0, {})
    place = place.after([(1, b"a", 1), (2, b"b", 1), (3, b"a", 2)])
    assert tuple(place) == ((3, b"a", 2), 3, {b"a": 2, b"b": 1})
    assert tuple(place.after([(4, b"b", 2)])) == ((4, b"b", 2), 4, {b"a": 2, b"b": 2})
