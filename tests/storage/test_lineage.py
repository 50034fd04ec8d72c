"""Where the events of a log are stored: its own space, and those that it was forked from."""

import pytest

from ramax import NewEvent, Query
from ramax.errors import ConcurrencyError
from ramax.storage import events, lineage
from ramax.storage.lineage import ALONE, FOREVER, Segment, clipped, gather


@pytest.fixture
async def chain(db):
    """main with 2 events, forked at 2, forked at 3, and once more at 3."""
    store = await db.content_store("s")
    ids = [store.space.space_id]
    for key in "ab":
        await store.kv.put(key, 1)
    for source, name in (("main", "one"), ("one", "two"), ("two", "three")):
        await db.branches.fork(source, name)
        store = await db.at_branch(name).content_store("s")
        ids.append(store.space.space_id)
        if name == "one":
            await store.kv.put("c", 1)
    return ids


async def read(db, work):
    return await db._core.read(work)


async def test_a_space_that_was_not_forked_is_alone(db, chain):
    assert await read(db, lambda ex: lineage.lineage_of(ex, chain[0])) == ALONE
    assert await read(db, lambda ex: lineage.base_of(ex, chain[0])) == 0
    assert await read(db, lambda ex: lineage.parent_of(ex, chain[0])) is None
    assert await read(db, lambda ex: lineage.lineage_of(ex, 999)) == ALONE


async def test_segments_lead_to_where_each_event_is_and_leave_out_who_has_none(db, chain):
    main, one, _, three = chain
    found = await read(db, lambda ex: lineage.lineage_of(ex, three))
    assert found == (Segment(main, 0, 2), Segment(one, 2, 3), Segment(three, 3, FOREVER))
    assert await read(db, lambda ex: lineage.base_of(ex, three)) == 3
    assert await read(db, lambda ex: lineage.parent_of(ex, three)) == (chain[2], 3)


async def test_what_is_read_within_a_transaction_that_may_fail_is_not_remembered(db, chain):
    known = db._core.backend.lineages
    known.clear()
    await db._core.locked("test", lambda ex: lineage.lineage_of(ex, chain[1]))
    async with db.connection() as connection, connection.begin():
        pass
    remembered = bool(known)
    await read(db, lambda ex: lineage.lineage_of(ex, chain[1]))
    assert chain[1] in known
    assert not remembered or db.engine.dialect.name == "postgresql"


PARTS = (Segment(1, 0, 3), Segment(2, 3, 5), Segment(3, 5, FOREVER))


def test_parts_are_cut_at_bounds_and_left_out_where_nothing_is_left():
    assert clipped(PARTS, 1, 4) == (Segment(1, 1, 3), Segment(2, 3, 4))
    assert clipped(PARTS, 5, 9) == (Segment(3, 5, 9),)
    assert clipped(PARTS, 3, 3) == ()
    assert clipped(ALONE, 0, 9) == ()


def test_rows_are_gathered_in_order_up_to_a_limit_as_those_of_the_space():
    asked = []

    def rows(space_id, part):
        asked.append((space_id, part["limit"]))
        found = range(part["after"] + 1, min(part["upto"], 7) + 1)
        return [(100 + n, space_id, n) for n in found][: part["limit"]]

    assert gather(PARTS, (0, 9), 4, rows) == [(100 + n, 3, n) for n in (1, 2, 3, 4)]
    assert asked == [(1, 4), (2, 1)]
    backward = gather(PARTS, (0, 9), 9, lambda i, part: rows(i, part)[::-1], reverse=True)
    assert [row[2] for row in backward] == [7, 6, 5, 4, 3, 2, 1]


async def test_a_search_over_many_segments_is_one_statement_for_each_forty(db, monkeypatch):
    store = await db.content_store("s")
    for number in range(6):
        await store.events.append("e", "t", {"n": number}, tags=["even"] if number % 2 == 0 else [])
        source = "main" if not number else f"b{number - 1}"
        await db.branches.fork(source, f"b{number}")
        store = await db.at_branch(f"b{number}").content_store("s")
    monkeypatch.setattr(lineage, "AT_ONCE", 4)
    found = await store.events.get_events("e")
    assert [event.payload["n"] for event in found] == list(range(6))
    assert {event.space_id for event in found} == {store.space.space_id}
    newest = [event async for event in store.events.stream(Query(["t"]), reverse=True, limit=3)]
    assert [event.payload["n"] for event in newest] == [5, 4, 3]
    assert await store.events.get_entity_version("e") == 6
    even = Query(tags=["even"])
    assert [event.payload["n"] async for event in store.events.stream(even)] == [0, 2, 4]
    new = NewEvent("t", {}, entity_id="e")
    with pytest.raises(ConcurrencyError):
        await store.events.append_if([new], no_match=even, after=4)
    await store.events.append_if([new], no_match=even, after=5)


async def test_a_page_over_segments_is_one_statement_and_a_hole_loses_nothing(db, chain):
    three = chain[3]
    store = await db.at_branch("three").content_store("s")
    await store.kv.put("d", 1)

    def pages(ex, limit):
        found, after = [], 0
        while rows := events.read_page(ex, three, after=after, limit=limit):
            found += [(row[1], row[2]) for row in rows]
            after = rows[-1][2]
        return found

    whole = [(three, sequence) for sequence in (1, 2, 3, 4)]
    for limit in (1, 2, 3, 4, 9):
        assert await read(db, lambda ex, limit=limit: pages(ex, limit)) == whole
    async with db.connection() as connection, connection.begin():
        await connection.exec_driver_sql(
            f"DELETE FROM events WHERE space_id = {chain[0]} AND space_sequence = 2"
        )
    for limit in (1, 2, 3, 4, 9):
        assert await read(db, lambda ex, limit=limit: pages(ex, limit)) == [
            whole[0],
            *whole[2:],
        ]
