from ramax import NewEvent
from ramax.core.sync.runs import uid_of
from ramax.storage import records as stored
from ramax.testing.records import record, records

ONE, TWO = b"device-of-origin", b"server-of-origin"


async def filled(db):
    """A space whose log has events of three origins, one after another and in turns."""
    store = await db.content_store("notes")
    await store.replica.enable()
    cause = await store.events.append("e", "asked", {})
    await store.events.append_many(
        [NewEvent("answered", {"n": n}, entity_id="e", causation_id=cause.event_id) for n in (1, 2)]
    )
    for n in range(1, 6):
        await store.replica.ingest([record(ONE, n), record(TWO, n, uid=uid_of(TWO, n))])
    await store.kv.put("a", 1)
    return store


def reading(store, work):
    return store._core.read(lambda ex: work(ex, store.space.space_id))


async def test_records_of_an_origin_come_whole_wherever_they_are(db):
    store = await filled(db)
    own = (await store.replica.info()).origin
    found = await reading(store, lambda ex, i: stored.read_records(ex, i, ONE, after=1, limit=3))
    assert found == records_of(ONE, 2, 4)
    mine = await reading(store, lambda ex, i: stored.read_records(ex, i, own, after=0, limit=9))
    assert [each.uid for each in mine] == [uid_of(own, n) for n in range(1, 5)]
    assert [each.causation for each in mine] == [None, mine[0].uid, mine[0].uid, None]
    one = await reading(store, lambda ex, i: stored.read_record(ex, i, own, 2))
    assert one == mine[1]
    assert await reading(store, lambda ex, i: stored.read_record(ex, i, own, 5)) is None
    assert await reading(store, lambda ex, i: stored.read_record(ex, i, b"x" * 16, 1)) is None


def records_of(origin, first, last):
    return [record(origin, n) for n in range(first, last + 1)]


async def test_events_are_found_by_uids_that_were_given_and_by_others(db):
    store = await filled(db)
    own = (await store.replica.info()).origin
    given, told, mine = record(ONE, 3).uid, uid_of(TWO, 4), uid_of(own, 4)
    unknown = [uid_of(ONE, 3), uid_of(TWO, 6), b"nobody's id of16"]
    found = await reading(
        store, lambda ex, i: stored.read_sequences_of(ex, i, [given, told, mine, *unknown])
    )
    events = {event.space_sequence: event async for event in store.events.stream()}
    assert set(found) == {given, told, mine}
    assert events[found[given]].entity_id == "note:3"
    assert events[found[told]].entity_id == "note:4"
    assert events[found[mine]].event_type == "ramax.kv.put"
    ids = await reading(store, lambda ex, i: stored.read_ids_of(ex, i, [given, mine]))
    assert ids == {uid: events[found[uid]].event_id for uid in (given, mine)}
    assert await reading(store, lambda ex, i: stored.read_ids_of(ex, i, [])) == {}


async def test_many_uids_are_found_over_more_runs_than_are_looked_at_at_once(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest(
        [
            each
            for n in range(1, 601)
            for each in (record(TWO, n, uid=uid_of(TWO, n)), record(ONE, n))
        ]
    )
    wanted = [uid_of(TWO, n) for n in (1, 599, 600)]
    found = await reading(store, lambda ex, i: stored.read_sequences_of(ex, i, wanted))
    assert len(found) == 3
    assert records(ONE, 1, 1)[0].origin == ONE
