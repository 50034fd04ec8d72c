"""New events of a replicated space get places; what is not written leaves none behind."""

from ramax.core.event_row import EventRow
from ramax.core.sync.head import ReplicaHead
from ramax.core.sync.placing import Placing, numbered
from ramax.core.sync.record import REFUSED
from ramax.core.sync.runs import TIMED, Place, uid_of

OURS, THEIRS = b"o" * 16, b"t" * 16
NOW = 1_700_000_000_000_000
SECOND = 1_000_000


def rows(*sequences, micros=NOW, event_type="t"):
    return [EventRow(n, "e", event_type, b"", micros, None, None, None) for n in sequences]


def placing(**more):
    return Placing(ReplicaHead(OURS, **more).pack())


def test_own_events_go_on_where_the_head_is():
    places = placing(origin_seq=7)
    first, second = places.own(rows(8, 9)), places.own(rows(10))
    assert places.head.origin_seq == 10
    assert [*first, *second] == sorted({*first, *second})
    assert [(run.sequence, run.origin_seq) for run in places.runs] == [(8, 8)]


def test_what_is_forgotten_has_never_been():
    places = placing()
    places.own(rows(1, 2))
    kept = places.head, list(places.runs)
    places.own(rows(3, micros=NOW + SECOND))
    places.own(rows(4, 5, micros=NOW + 2 * SECOND))
    places.forget_beyond(2)
    assert (places.head, places.runs) == kept
    places.forget_beyond(0)
    assert (places.head, places.runs) == (ReplicaHead(OURS), [])


def test_received_events_keep_their_places_and_move_the_clock():
    places = placing(stamp=5)
    uid = uid_of(THEIRS, 1)
    places.received([(rows(1)[0], Place(uid, THEIRS, 1, 900))], {1: 1})
    assert places.places == {1: Place(uid, THEIRS, 1, 900)}
    assert places.causes == {1: 1}
    assert places.head == ReplicaHead(OURS, 0, 900)
    assert [(run.sequence, run.origin) for run in places.runs] == [(1, THEIRS)]
    places.own(rows(2, micros=0))
    places.forget_beyond(1)  # own events alone can still be undone
    assert places.head == ReplicaHead(OURS, 0, 900)


def test_the_stamp_of_a_refused_event_moves_no_clock_but_ends_the_run():
    places = placing(stamp=5, rule=TIMED)
    (row,) = rows(1, event_type=REFUSED)
    places.received([(row, Place(uid_of(THEIRS, 1), THEIRS, 1, 2**60))])
    assert places.head == ReplicaHead(OURS, 0, 5)


def test_applicators_see_stamps_for_sequences():
    seen = numbered(rows(3, 4), range(70, 72))
    assert [row.sequence for row in seen] == [70, 71]
    assert [row[1:] for row in seen] == [row[1:] for row in rows(3, 4)]
