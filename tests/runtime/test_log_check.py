import asyncio
from typing import Any

import pytest

import ramax
from ramax import NewEvent
from ramax.errors import SpaceNotFoundError
from ramax.runtime.findings import Findings
from ramax.runtime.log_check import LogCheck
from tests._domains import add, counter
from tests.runtime._damage import damage


async def check(db: ramax.Database, space: str = "s", page: int = 2) -> tuple[LogCheck, list[Any]]:
    findings = Findings()
    found = LogCheck(await db.spaces.get(space), findings, page)
    await db._core.read(found.begin)
    while await db._core.read(found.read_page):
        pass
    await db._core.read(found.finish)
    return found, [(each.check, each.message) for each in findings.named]


@pytest.fixture
async def store(db):
    """Five events, all folded; a space before it has events of its own."""
    other = await db.content_store("other", counter())
    store = await db.content_store("s", counter())
    for _ in range(5):
        await other.execute(add)
        await store.execute(add)
    return store


@pytest.mark.parametrize("page", [1, 2, 5, 100])
async def test_a_sound_log_gives_its_numbers(db, store, page):
    found, findings = await check(db, page=page)
    assert findings == []
    assert (found.event_count, found.last_sequence, found.checkpoint) == (5, 5, 5)


async def test_an_empty_log_is_sound(db):
    await db.spaces.create("empty")
    found, findings = await check(db, "empty")
    assert (findings, found.event_count, found.checkpoint) == ([], 0, 0)


async def test_what_commands_and_plain_appends_make_in_one_batch_is_sound(db, store):
    other = await db.content_store("other", counter())
    by_two = {"by": 2}
    # the writer is busy with the first, and takes the others together
    await asyncio.gather(
        other.execute(add),
        store.execute(add),
        store.execute(add),
        store.events.append("n", "added", by_two),
        store.events.append_many([NewEvent("added", by_two, entity_id="n")] * 3),
    )
    found, findings = await check(db)
    assert findings == []
    assert (found.checkpoint, found.last_sequence) == (7, 11)


async def test_missing_events_are_named(db, store):
    await damage(db, "DELETE FROM events WHERE space_sequence IN (1, 3, 4) AND space_id = 2")
    found, findings = await check(db)
    assert findings == [
        ("sequence", "event 1 is missing"),
        ("sequence", "events 3 to 4 are missing"),
    ]
    assert found.event_count == 2


async def test_a_missing_end_is_named(db, store):
    await damage(db, "DELETE FROM events WHERE space_sequence >= 4 AND space_id = 2")
    _, findings = await check(db)
    assert ("sequence", "events 4 to 5 are missing") in findings
    assert any(check == "checkpoint" and "5, no event" in text for check, text in findings)


async def test_events_beyond_the_last_one_are_named(db, store):
    await damage(db, "UPDATE space_sequences SET last_sequence = 3 WHERE space_id = 2")
    found, findings = await check(db)
    assert (
        "sequence",
        "there is an event 5, but the space says that 3 is its last",
    ) in findings
    assert ("checkpoint", "'pstate' is at 5, and the last event is 3") in findings
    assert found.event_count == 3


async def test_an_event_below_one_is_named(db, store):
    await damage(
        db, "UPDATE events SET space_sequence = 0 WHERE space_sequence = 1 AND space_id = 2"
    )
    _, findings = await check(db)
    assert findings == [
        ("sequence", "an event has the sequence 0, below 1"),
        ("sequence", "event 1 is missing"),
    ]


async def test_event_ids_that_do_not_follow_the_sequence_are_named(db, store):
    await damage(db, "UPDATE events SET event_id = 99 WHERE space_sequence = 2 AND space_id = 2")
    _, findings = await check(db)
    assert findings == [("sequence", "event 3 has the event id 6, the one before it has the id 99")]


@pytest.mark.parametrize("column", ["payload", "metadata"])
async def test_an_event_that_cannot_be_read_is_named(db, store, column):
    damaged = f"UPDATE events SET {column} = :bad WHERE space_sequence = 4 AND space_id = 2"
    await damage(db, damaged, bad=b"\xc1")
    _, findings = await check(db)
    [(kind, message)] = findings
    assert kind == "event"
    assert message.startswith("event 4 cannot be read: stored value")


async def test_a_checkpoint_that_names_another_event_is_named(db, store):
    await store.update_checkpoint(3, name="mailer")
    assert (await check(db))[1] == []
    await damage(db, "UPDATE projection_checkpoints SET last_event_id = 1 WHERE name = 'mailer'")
    _, findings = await check(db)
    assert findings == [
        ("checkpoint", "'mailer' is at 3, the event with the id 6, but names the id 1")
    ]


async def test_a_checkpoint_behind_is_no_fault(db, store):
    await db.events.append("s", "n", "added", {"by": 1})
    found, findings = await check(db)
    assert (findings, found.checkpoint, found.last_sequence) == ([], 5, 6)


async def test_the_check_ends_where_it_began_while_writes_go_on(db, store):
    findings = Findings()
    found = LogCheck(store.space, findings, 2)
    await db._core.read(found.begin)
    more = True
    while more:
        await store.execute(add)
        more = await db._core.read(found.read_page)
    await db._core.read(found.finish)
    assert (findings.named, found.event_count, found.last_sequence) == ([], 5, 5)
    assert found.checkpoint == 8


async def test_a_space_that_is_gone_is_an_error(db, store):
    found = LogCheck(store.space, Findings(), 2)
    await db.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await db._core.read(found.begin)
