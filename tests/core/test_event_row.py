"""Rows become events: for an applicator without ids, for a caller with them."""

import pytest

from ramax.core.event_row import EventRow, as_applied, as_commit, row_of
from ramax.core.tags import pack_tags
from tests.core._sources import packed

PLAIN = EventRow(5, "e", "added", packed({"by": [1]}), 77, 3, "c", packed({"m": 1}))
MARKED = PLAIN._replace(sequence=6, version=2, tags=pack_tags(["x", "y"]), metadata=None)


def test_the_quick_way_makes_the_same_row():
    assert row_of((*PLAIN,)) == PLAIN
    assert type(row_of((*PLAIN,))) is EventRow


def test_an_applicator_sees_what_the_row_says_and_no_ids():
    event = as_applied(PLAIN)
    assert (event.space_sequence, event.entity_id, event.event_type) == (5, "e", "added")
    assert (event.payload, event.micros, event.metadata) == ({"by": [1]}, 77, {"m": 1})
    assert (event.causation_id, event.correlation_id) == (3, "c")
    assert (event.version, event.tags) == (1, ())
    with pytest.raises(AttributeError, match="event_id is not known"):
        _ = event.event_id


def test_a_commit_has_events_with_ids_in_order():
    commit = as_commit(7, [PLAIN, MARKED], {5: 50, 6: 60}, 6)
    assert (commit.space_sequence, commit.replayed) == (6, False)
    assert [(e.event_id, e.space_id, e.space_sequence) for e in commit.events] == [
        (50, 7, 5),
        (60, 7, 6),
    ]


@pytest.mark.parametrize(
    "made_by", [as_applied, lambda row: as_commit(7, [row], {6: 6}, 6).events[0]]
)
def test_versions_and_tags_come_along(made_by):
    event = made_by(MARKED)
    assert (event.version, event.tags, event.metadata) == (2, ("x", "y"), None)


def test_two_events_of_one_row_share_no_value():
    one, other = as_applied(PLAIN), as_applied(PLAIN)
    one.payload["by"].append(2)
    assert other.payload == {"by": [1]}


def test_a_commit_without_events_needs_no_ids():
    commit = as_commit(7, [], {}, 4, replayed=True)
    assert (commit.events, commit.space_sequence, commit.replayed) == ((), 4, True)
