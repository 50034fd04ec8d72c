import re
from dataclasses import replace

import pytest

from ramax import NewEvent
from tests._counting import counted
from tests._domains import counter
from tests.runtime._damage import damage

TAGS: tuple[list[str] | None, ...] = (["red", "round"], None, ["red"], ["blue"], [])


@pytest.fixture
async def store(db):
    """Two spaces with the same events."""
    for name in ("other", "s"):
        made = await db.content_store(name, counter())
        await made.events.append_many(
            [NewEvent("added", {"by": 1}, entity_id="n", tags=tags or ()) for tags in TAGS]
        )
    return made


async def found(store, page=100):
    store._core.options = replace(store._core.options, page=page)
    return [(each.check, each.message) for each in (await store.verify()).findings]


@pytest.mark.parametrize("page", [1, 2, 100])
async def test_sound_tags_give_no_findings(store, page):
    assert await found(store, page) == []


@pytest.mark.parametrize("page", [1, 2, 100])
async def test_an_event_that_its_tag_does_not_find_is_named(db, store, page):
    await damage(db, "DELETE FROM event_tags WHERE space_id = 2 AND space_sequence IN (1, 4)")
    assert await found(store, page) == [
        ("tags", "event 1 has the tag 'red', but is not found by it"),
        ("tags", "event 1 has the tag 'round', but is not found by it"),
        ("tags", "event 4 has the tag 'blue', but is not found by it"),
    ]


@pytest.mark.parametrize("page", [1, 2, 100])
async def test_a_tag_that_finds_an_event_without_it_is_named(db, store, page):
    add = "INSERT INTO event_tags (space_id, tag, space_sequence) VALUES (2, :tag, :sequence)"
    for tag, sequence in (("red", 2), ("green", 9)):
        await damage(db, add, tag=tag, sequence=sequence)
    assert await found(store, page) == [
        ("tags", "event 9 is found by the tag 'green', which it does not have"),
        ("tags", "event 2 is found by the tag 'red', which it does not have"),
    ]


async def test_damage_of_another_space_is_not_ours(db, store):
    await damage(db, "DELETE FROM event_tags WHERE space_id = 1")
    assert await found(store) == []


async def test_a_fork_answers_for_the_tags_of_its_own_events(db, store):
    await db.branches.fork("main", "test")
    forked = await db.at_branch("test").content_store("s", counter())
    await forked.events.append("n", "added", {"by": 1}, tags=["red"])
    assert await found(forked) == []
    await damage(db, "DELETE FROM event_tags WHERE space_sequence = 6")
    assert await found(forked) == [
        ("tags", "event 6 has the tag 'red', but is not found by it"),
    ]
    await damage(db, "DELETE FROM event_tags WHERE space_id = 2 AND space_sequence = 1")
    assert len(await found(forked)) == 1  # what it has from before is its parent's to tell
    assert len(await found(store)) == 2


async def test_each_page_asks_for_the_tags_of_its_own_events(db_on_sqlite):
    """Else to verify twice as many events is four times the work."""
    store = await db_on_sqlite.content_store("s", counter())
    added = NewEvent("added", {"by": 1}, entity_id="n", tags=["red"])
    await store.events.append_many([added] * 5)
    async with counted(db_on_sqlite) as calls:
        assert await found(store, page=2) == []
    asked = [text for text in calls.texts if "event_tags.tag IN" in text]
    bounds = [re.findall(r"event_tags.space_sequence <?>?=? ?(\d+)", text) for text in asked]
    assert bounds == [["0", "2"], ["2", "4"], ["4", "5"]]
