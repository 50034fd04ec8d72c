from typing import Any

from ramax.core.sync.record import DIGEST_BYTES, EventRecord, digest_of, is_whole
from tests._each import each

SAID = (
    *(b"u" * 16, b"o" * 16, 1, 5, "t", "e", b"\x80", "msgpack"),
    *(7, 1, None, None, None, None),
)


def test_a_record_is_whole_with_the_digest_of_what_it_says():
    record = EventRecord(*SAID, digest_of(*SAID))
    assert is_whole(record)
    assert len(record.digest) == DIGEST_BYTES


@each(
    "changed",
    [
        {"payload": b"\x81"},
        {"stamp": 6},
        {"origin_seq": 2},
        {"causation": b"c" * 16},
        {"metadata": b"\x80"},
        {"entity_id": "f"},
    ],
)
async def test_whatever_is_changed_on_the_way_shows(changed: dict[str, Any]):
    record = EventRecord(*SAID, digest_of(*SAID))
    assert not is_whole(record._replace(**changed))


def test_the_canonical_place_is_stamp_then_origin_then_sequence():
    record = EventRecord(*SAID, digest_of(*SAID))
    later = record._replace(stamp=6)
    other = record._replace(origin=b"p" * 16)
    assert record.place < other.place < later.place
