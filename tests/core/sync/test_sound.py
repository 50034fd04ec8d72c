import pytest

from ramax.core.codec import encode
from ramax.core.sync.sound import check_sound
from ramax.errors import DataError
from ramax.testing.records import record

ONE = b"device-of-origin"


def test_what_can_be_folded_is_taken_whether_or_not_its_type_is_known():
    check_sound(record(ONE, 1))
    value = encode({"value": 1}, "payload")
    check_sound(record(ONE, 1, event_type="ramax.kv.put", entity_id="ramax.kv:a", payload=value))


def test_what_is_no_event_of_its_type_is_refused():
    empty = encode({}, "payload")
    with pytest.raises(DataError, match=r"ramax\.kv\.put"):
        check_sound(record(ONE, 1, event_type="ramax.kv.put", payload=empty))
    with pytest.raises(DataError, match="mappings"):
        check_sound(record(ONE, 1, payload=encode([1], "payload")))
