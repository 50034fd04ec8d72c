"""Whatever is done to the stored events behind the back of ramax is found, and named."""

import pytest

import ramax
from ramax import ChainHead, NewEvent
from ramax.core.chain import HASHED
from ramax.runtime.chain_check import ChainCheck
from ramax.runtime.findings import Findings
from ramax.storage.events import read_page
from tests._domains import add, counter
from tests.runtime._damage import damage

CHANGES = {
    "space_sequence": "space_sequence + 100",
    "entity_id": "'other'",
    "event_type": "'other'",
    "payload": ":bytes",
    "format": "'etf'",
    "timestamp": "timestamp + 1",
    "causation_id": "1",
    "correlation_id": "'x'",
    "metadata": ":bytes",
    "version": "2",
    "tags": ":bytes",
}


@pytest.fixture
async def store(db):
    """Six events in a space with a chain; another space, which stays sound, has as many."""
    stores = []
    for name in ("other", "s"):
        store = await db.content_store(name, counter())
        await db.spaces.enable_hash_chain(name)
        for _ in range(2):
            await store.events.append_many(
                [NewEvent("added", {"by": 1}, entity_id="n", metadata={"m": 1})] * 3,
                correlation_id="c",
            )
        await store.catchup_pstate()
        stores.append(store)
    return stores[1]


async def change(db: ramax.Database, assignment: str, sequence: int, **more: object) -> None:
    await damage(
        db,
        f"UPDATE events SET {assignment} WHERE space_id = 2 AND space_sequence = :n",  # noqa: S608
        n=sequence,
        **more,
    )


async def found(store: ramax.ContentStore, anchor: ChainHead | None = None) -> list[str]:
    report = await store.verify(anchor=anchor)
    assert report.ok == (not report.findings)
    return [f.message for f in report.findings if f.check == "chain"]


async def test_what_was_not_touched_is_sound(db, store):
    report = await store.verify()
    assert (report.ok, report.chained, report.compared) == (True, 6, 1)
    reports = [r async for r in db.verify()]
    assert [(r.ok, r.chained) for r in reports] == [(True, 6), (True, 6)]


def test_every_hashed_column_is_tampered_with_below():
    assert set(CHANGES) == set(HASHED)


@pytest.mark.parametrize("column", [c for c in HASHED if c != "space_sequence"])
async def test_a_changed_column_is_found_and_its_event_named(db, store, column):
    more = {"bytes": b"\x81\xa2by\x02"} if ":bytes" in CHANGES[column] else {}
    await change(db, f"{column} = {CHANGES[column]}", 3, **more)
    assert await found(store) == ["event 3 is not what was hashed"]
    others = [r.ok async for r in db.verify("other")]
    assert others == [True]


async def test_one_byte_of_a_payload_is_enough(db, store):
    await change(db, "payload = :bytes", 6, bytes=b"\x81\xa2by\x02")
    assert await found(store) == ["event 6 is not what was hashed"]


@pytest.mark.parametrize("sequence", [1, 3, 6])
async def test_a_deleted_event_is_found_and_named(db, store, sequence):
    await damage(db, "DELETE FROM events WHERE space_id = 2 AND space_sequence = :n", n=sequence)
    assert await found(store) == [f"event {sequence} was hashed, and is not there"]


async def test_events_that_changed_places_are_found_and_named(db, store):
    await change(db, "payload = :bytes", 2, bytes=b"\x81\xa2by\x05")
    await db.spaces.disable_hash_chain("s")
    await db.spaces.enable_hash_chain("s")  # so that 2 and 4 differ, and the chain is sound
    assert await found(store) == []
    for step in ("100 + space_sequence", None):
        for one, other in ((2, 4), (4, 2)):
            source = one if step else 100 + one
            await change(db, f"space_sequence = {step or other}", source)
    assert await found(store) == [
        "event 2 is not what was hashed",
        "event 4 is not what was hashed",
    ]


async def test_an_event_that_moved_is_found_where_it_was(db, store):
    await change(db, f"space_sequence = {CHANGES['space_sequence']}", 3)
    assert await found(store) == ["event 3 was hashed, and is not there"]


async def test_a_changed_hash_is_found_beside_its_event(db, store):
    await damage(
        db,
        "UPDATE event_hashes SET hash = :h WHERE space_id = 2 AND space_sequence = 3",
        h=bytes(32),
    )
    assert await found(store) == [
        "event 3 is not what was hashed",
        "event 4 is not what was hashed",
    ]


async def test_a_missing_hash_is_named(db, store):
    await damage(db, "DELETE FROM event_hashes WHERE space_id = 2 AND space_sequence = 6")
    assert await found(store) == [
        "event 6 has no hash",
        "the newest hash of the space is not that of its last event, 6",
    ]


async def test_a_changed_head_is_found(db, store):
    await damage(db, "UPDATE space_sequences SET head_hash = :h WHERE space_id = 2", h=bytes(32))
    assert await found(store) == ["the newest hash of the space is not that of its last event, 6"]


async def test_a_chain_that_was_made_anew_is_found_by_an_anchor_alone(db, store):
    anchor = await db.spaces.hash_chain_head("s")
    await store.execute(add)
    assert await found(store, anchor) == []
    await change(db, "entity_id = 'other'", 2)
    await db.spaces.disable_hash_chain("s")
    await db.spaces.enable_hash_chain("s")
    assert await found(store) == []
    assert await found(store, anchor) == ["the hash of event 6 is not the anchor's"]


async def test_a_log_that_was_cut_off_is_found_by_an_anchor(db, store):
    anchor = await db.spaces.hash_chain_head("s")
    await damage(db, "DELETE FROM events WHERE space_id = 2 AND space_sequence > 4")
    await damage(db, "DELETE FROM event_hashes WHERE space_id = 2 AND space_sequence > 4")
    await damage(
        db,
        "UPDATE space_sequences SET last_sequence = 4, head_hash = (SELECT hash FROM event_hashes"
        " WHERE space_id = 2 AND space_sequence = 4) WHERE space_id = 2",
    )
    assert await found(store) == []
    assert await found(store, anchor) == ["the anchor is of event 6, which is not there"]


async def test_an_anchor_needs_a_chain(db, store):
    anchor = await db.spaces.hash_chain_head("s")
    await db.spaces.disable_hash_chain("s")
    assert await found(store, anchor) == ["there is no hash chain to compare the anchor with"]


async def test_an_anchor_from_before_the_first_event_is_the_same_everywhere(db, store):
    empty = await db.content_store("empty", counter())
    beginning = await db.spaces.enable_hash_chain("empty")
    assert await found(store, beginning) == []
    assert await found(empty, beginning) == []
    assert await found(store, ChainHead(0, bytes(32))) == [
        "the hash of event 0 is not the anchor's"
    ]


async def test_pages_are_linked(db, store):
    await store.execute_many([(add, None)] * 4100)
    await change(db, "correlation_id = 'x'", 2001)
    await change(db, "correlation_id = 'x'", 4000)
    await damage(db, "DELETE FROM events WHERE space_id = 2 AND space_sequence = 2000")
    assert await found(store) == [
        "event 2000 was hashed, and is not there",
        "event 2001 is not what was hashed",
        "event 4000 is not what was hashed",
    ]


async def test_a_chain_that_is_ended_meanwhile_is_no_finding(db, store):
    findings = Findings()
    check = ChainCheck(store.space, findings, None)
    read = db._core.read
    await read(check.begin)
    await db.spaces.disable_hash_chain("s")
    rows = await read(lambda ex: read_page(ex, 2, after=0, limit=10))
    await read(lambda ex: check.check(ex, rows, 6))
    await read(check.finish)
    assert (findings.count, check.checked) == (0, None)
