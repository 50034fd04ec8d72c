from ramax.core.codec import decode
from ramax.core.sync.record import is_whole
from ramax.core.sync.wire import pack_records, unpack_records
from ramax.testing.records import record, records


def test_sample_records_are_what_a_replica_would_take():
    found = records(b"a" * 16, 3, 5)
    assert [each.origin_seq for each in found] == [3, 4, 5]
    assert all(map(is_whole, found))
    assert unpack_records(pack_records(found)) == found


def test_whatever_is_changed_is_in_the_digest():
    changed = record(b"a" * 16, 1, "x", entity_id="other")
    assert decode(changed.payload) == {"value": "x"}
    assert is_whole(changed)
