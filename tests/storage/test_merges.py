"""What a space took over: written down once, read by part of a log, gone with the space."""

import pytest

from ramax.core.merging.knowledge import Origin
from ramax.storage import merges
from ramax.storage.lineage import Segment
from ramax.storage.merges import COPIED, DECLINED, SETTLED, Copy
from tests._domains import documents, put

NOW = 1_800_000_000_000_000


@pytest.fixture
async def filled(db):
    store = await db.content_store("s", documents())
    for key in ("a", "b", "a/x", "a"):
        await store.execute(put, [key, {"of": key}])
    return store.space.space_id


async def test_segments_of_a_space_alone_are_one(db, filled):
    found = await db._core.read(lambda ex: merges.segments_of(ex, filled, 4))
    assert list(found) == [Segment(filled, 0, 4)]


async def test_events_are_read_whole_and_in_brief_between_two_sequences(db, filled):
    part = Segment(filled, 1, 3)
    events = await db._core.read(lambda ex: merges.read_events(ex, part))
    briefs = await db._core.read(lambda ex: merges.read_briefs(ex, part))
    assert [(e.space_sequence, e.entity_id, e.event_type, e.micros) for e in events] == briefs
    assert [brief.entity_id for brief in briefs] == ["b", "a/x"]
    assert events[0].payload == {"of": "b"}


async def test_a_history_is_of_an_entity_and_what_is_under_it(db, filled):
    parts = [Segment(filled, 0, 2), Segment(filled, 2, 9)]
    alone, under = await db._core.read(
        lambda ex: [merges.read_history(ex, parts, "a", under=each) for each in (False, True)]
    )
    assert [e.space_sequence for e in alone] == [1, 4]
    assert [e.space_sequence for e in under] == [1, 3, 4]


async def test_what_is_recorded_is_known_from_its_place_on(db, filled):
    rows = [(2, Origin(70, 1), COPIED), (3, Origin(70, 2), SETTLED), (4, Origin(70, 5), DECLINED)]
    other = (await db.spaces.create("other")).space_id

    def write(ex):
        merges.record(ex, filled, rows, {70: 2}, 3, NOW)
        merges.record(ex, filled, [], {70: 3, 71: 9}, 5, NOW)
        merges.record(ex, filled, [], {70: 4}, 5, NOW)
        merges.record(ex, other, [], {70: 99}, 1, NOW)

    await db._core.locked("test", write)

    def read(ex):
        own, forked = [Segment(filled, 0, 4)], [Segment(filled, 0, 3), Segment(99, 3, 8)]
        wanted = [Origin(70, n) for n in (1, 2, 5)]
        return (
            [merges.read_known(ex, each) for each in (own, forked)],
            [merges.read_decided(ex, each, wanted) for each in (own, forked)],
            merges.read_copies(ex, Segment(filled, 0, 9)),
        )

    known, decided, copies = await db._core.read(read)
    assert known == [{filled: 4, 70: 4, 71: 9}, {filled: 3, 99: 8, 70: 2}]
    assert decided == [
        {Origin(70, 1), Origin(70, 2), Origin(70, 5)},
        {Origin(70, 1), Origin(70, 2)},
    ]
    assert copies == {2: Copy(Origin(70, 1), COPIED), 3: Copy(Origin(70, 2), SETTLED)}
