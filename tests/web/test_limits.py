from ramax.core.limits import MAX_PAYLOAD_BYTES
from ramax.web.limits import Limits


def test_the_largest_event_there_can_be_fits_into_a_frame():
    assert Limits().frame_bytes > 2 * MAX_PAYLOAD_BYTES
