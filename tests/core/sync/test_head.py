from ramax.core.clock import wall_stamp
from ramax.core.sync.head import ReplicaHead

ORIGIN = b"o" * 16
NOW = 1_700_000_000_000_000


def test_a_head_comes_back_as_it_was_packed():
    head = ReplicaHead(ORIGIN, 7, 2**63 - 1)
    assert len(head.pack()) == 32
    assert ReplicaHead.unpack(head.pack()) == head


def test_own_events_are_numbered_and_come_after_all_that_is_known():
    place, head = ReplicaHead(ORIGIN).own(b"u" * 16, NOW)
    assert (place.origin, place.origin_seq, place.stamp) == (ORIGIN, 1, wall_stamp(NOW))
    ahead = head.observed(head.stamp + 5)
    place, head = ahead.own(b"v" * 16, NOW - 10_000_000)
    assert (place.origin_seq, place.stamp) == (2, ahead.stamp + 1)


def test_an_older_stamp_moves_nothing():
    head = ReplicaHead(ORIGIN, 1, 100)
    assert head.observed(99) == head
