from datetime import UTC, datetime

from ramax import Event, Space, SpaceStats
from ramax.cli.documents import event_document, report_document, space_document, stats_document
from ramax.core.equality import same_value
from ramax.core.json_form import from_json
from ramax.runtime.findings import Finding, SpaceReport
from ramax.storage.spaces import UNSAVED_DEFAULT
from tests._values import EVERY_TYPE

MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_event_has_all_its_fields_and_its_values_come_back():
    event = Event(7, 2, 3, "e", "t", EVERY_TYPE, MOMENT, 5, "c", {"m": (1,)})
    document = event_document(event, "s")
    payload, metadata = document.pop("payload"), document.pop("metadata")
    assert same_value(from_json(payload), EVERY_TYPE)
    assert from_json(metadata) == {"m": (1,)}
    assert document == {
        "space_name": "s",
        "space_sequence": 3,
        "event_id": 7,
        "space_id": 2,
        "event_type": "t",
        "entity_id": "e",
        "timestamp": "2024-01-02T03:04:05.000000+00:00",
        "causation_id": 5,
        "correlation_id": "c",
        "version": 1,
        "tags": [],
    }


def test_an_event_without_metadata_says_so():
    event = Event(7, 2, 3, "e", "t", {}, MOMENT)
    assert event_document(event, "s")["metadata"] is None


def test_a_space_and_what_it_holds():
    space = Space(1, "s", MOMENT, {"tags": {"a"}})
    assert space_document(space) == {
        "space_id": 1,
        "space_name": "s",
        "created_at": "2024-01-02T03:04:05+00:00",
        "metadata": {"tags": {"$set": ["a"]}},
    }
    stats = stats_document(SpaceStats(space, 2, 3, {"pstate": 2}, MOMENT, 40))
    assert stats == space_document(space) | {
        "event_count": 2,
        "key_count": 3,
        "checkpoints": {"pstate": 2},
        "last_event_at": "2024-01-02T03:04:05+00:00",
        "bytes": 40,
    }


def test_default_without_a_row_was_never_created():
    assert space_document(UNSAVED_DEFAULT)["created_at"] is None
    nothing = SpaceStats(UNSAVED_DEFAULT, 0, 0, {}, None, 0)
    assert stats_document(nothing)["last_event_at"] is None


def test_a_report_says_what_was_found():
    space = Space(1, "s", MOMENT, {})
    found = (Finding("pstate", "key 'a' is missing"),)
    assert report_document(SpaceReport(space, 4, 5, 3, 2, None, 4, found, 7)) == {
        "space_name": "s",
        "ok": False,
        "event_count": 4,
        "last_sequence": 5,
        "checkpoint": 3,
        "compared": 2,
        "not_compared": None,
        "chained": 4,
        "finding_count": 7,
        "findings": [{"check": "pstate", "message": "key 'a' is missing"}],
    }
