from datetime import UTC, datetime

from ramax.storage.layer_cursors import LayerCursor
from ramax.sync.status import SyncEvent, closed_status
from tests.core.sync._records import ANNE, BOB


def test_what_is_remembered_of_a_layer_tells_how_far_behind_it_is():
    cursor = LayerCursor("server", {ANNE: 3}, None, 0, 1_000_000, "gone", 2)
    status = closed_status(cursor, {ANNE: 5, BOB: 1})
    assert (status.state, status.connected, status.behind) == ("closed", False, 3)
    assert (status.last_error, status.refused) == ("gone", 2)
    assert status.heard_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert status.failed_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_a_layer_that_was_never_heard_has_no_time():
    status = closed_status(LayerCursor("server", {}), {})
    assert (status.heard_at, status.failed_at, status.behind) == (None, None, 0)


def test_an_event_of_a_space_has_no_layer():
    assert SyncEvent("opened", "notes").layer_id is None
