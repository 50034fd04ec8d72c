"""What is planned of a merge: copies that say all their originals said, and what is remembered."""

from datetime import UTC, datetime

from ramax.branches.plan import Planned, SpacePlan, copy_of
from ramax.core.datatypes import log
from ramax.core.merging.conflicts import MergeConflict, Recorded, Resolution
from ramax.core.merging.knowledge import Origin
from ramax.values import EPOCH, Event, NewEvent, Space

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = Space(1, "s", EPOCH)


def event(event_type="t", metadata=None):
    return Event(7, 1, 3, "e", event_type, {"n": 1}, NOW, 5, "c", metadata, ["a"], 2)


def test_a_copy_is_caused_by_its_original_and_says_the_same():
    copy = copy_of(event(metadata={"by": "me"}))
    assert copy == NewEvent(
        "t",
        {"n": 1},
        entity_id="e",
        causation_id=7,
        correlation_id="c",
        metadata={"by": "me"},
        version=2,
        tags=("a",),
    )


def test_a_copy_of_an_entry_of_a_log_has_its_place_from_the_target():
    kind = log.PREFIX + "noted"
    assert copy_of(event(kind, {log.SEQUENCE: 4})).metadata is None
    assert copy_of(event(kind, {log.SEQUENCE: 4, "by": "me"})).metadata == {"by": "me"}
    assert copy_of(event("t", {log.SEQUENCE: 4})).metadata == {log.SEQUENCE: 4}


def test_a_plan_counts_copies_and_what_is_made():
    recorded = Recorded(event(), Origin(1, 3))
    kept = MergeConflict("s", "entity", "e")
    found = SpacePlan(SPACE, None, resolution=Resolution([recorded], kept=[kept]))
    assert found.empty
    found.events = [Planned(copy_of(event()), Origin(1, 3)), Planned(NewEvent("t"), None)]
    done = found.merged(9)
    assert (done.copied, done.made, done.kept, done.space_sequence) == (1, 1, (kept,), 9)
    assert not found.empty
    assert not SpacePlan(SPACE, None, known={2: 5}).empty
