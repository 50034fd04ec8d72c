"""Records that a replica does not take: kept aside, tried again, discarded on every replica."""

import asyncio

import pytest

import ramax
from ramax.core.clock import COUNTER_BITS, wall_stamp
from ramax.core.codec import encode
from ramax.core.datatypes.replica import discarded
from ramax.core.sync.record import DISCARDED, digest_of
from ramax.core.sync.vector import covers
from ramax.errors import DataError, GapError, RecordNotFoundError
from ramax.storage import quarantine as stored
from ramax.storage import runs
from ramax.testing.records import record, records
from tests import _diary as diary

ONE, TWO = b"device-of-origin", b"server-of-origin"
SPACE = b"space-uid-of-one"
AHEAD = 4_000_000_000_000 << COUNTER_BITS


def changed(given, **fields):
    said = given._replace(**fields)
    return said._replace(digest=digest_of(*said[:-1]))


def given_value(seq, key, value, origin=ONE, **fields):
    packed = encode({"key": key, "value": value}, "payload")
    return record(
        origin,
        seq,
        event_type="ramax.kv.put",
        entity_id=f"ramax.kv:{key}",
        payload=packed,
        **fields,
    )


def unsound(seq):
    return record(ONE, seq, payload=encode([seq], "payload"))


async def everything(replica):
    return [r async for page in replica.read({}) for r in page]


async def replica_in(db, name="notes"):
    store = await db.content_store(name)
    await store.replica.enable(SPACE)
    return store


async def exchange(*stores):
    """Bring everything everywhere, whoever lacks it."""
    for _ in stores:
        for one in stores:
            for other in stores:
                known = (await other.replica.info()).vector
                async for page in one.replica.read(known):
                    await other.replica.ingest(page, gives_way=True)


def set_clock(db, micros):
    db._core.clock = db._core.attempts.clock = lambda: micros


async def kept(store):
    return [(each.origin_seq, each.code) for each in await store.replica.quarantined()]


@pytest.fixture
async def store(db):
    return await replica_in(db)


async def test_a_refused_record_is_kept_and_those_after_it_wait(store):
    """B14: it holds up its origin, and no other."""
    result = await store.replica.ingest(
        [record(ONE, 1), unsound(2), record(ONE, 3), record(TWO, 1)]
    )
    assert (result.accepted, result.vector) == (2, {ONE: 1, TWO: 1})
    assert [(each.uid, each.code) for each in result.rejected] == [(unsound(2).uid, "sync.unsound")]
    assert await kept(store) == [(2, "sync.unsound"), (3, "sync.waiting")]
    first = (await store.replica.quarantined())[0]
    assert (first.uid, first.origin) == (unsound(2).uid, ONE)
    assert "mapping" in first.reason
    assert first.size > 0
    assert (await store.replica.info()).quarantined == 2
    await store.replica.ingest([record(ONE, 4), record(TWO, 2)])  # the sender may go on
    assert await kept(store) == [(2, "sync.unsound"), (3, "sync.waiting"), (4, "sync.waiting")]
    assert (await store.replica.info()).vector == {ONE: 1, TWO: 2}


async def test_what_comes_again_is_kept_once(store):
    for _ in range(2):
        await store.replica.ingest([unsound(1), record(ONE, 2)])
        assert await kept(store) == [(1, "sync.unsound"), (2, "sync.waiting")]


async def test_a_refused_record_after_a_gap_is_a_gap(store):
    with pytest.raises(GapError):
        await store.replica.ingest([unsound(2)])
    assert await kept(store) == []


async def test_a_clock_that_was_ahead_is_believed_once_its_time_has_come(db):
    """B11: with whatever comes next, also from others."""
    store = await replica_in(db)
    now = db._core.clock()
    soon = wall_stamp(now + 600_000_000)
    await store.replica.ingest(
        [given_value(1, "a", 1, stamp=soon), given_value(2, "b", 2, stamp=soon + 1)]
    )
    assert await kept(store) == [(1, "sync.clock_skew"), (2, "sync.waiting")]
    await store.replica.ingest([given_value(1, "c", 3, TWO)])
    assert (await store.replica.info()).quarantined == 2
    set_clock(db, now + 601_000_000)
    await store.replica.ingest([given_value(2, "d", 4, TWO)])
    assert (await store.replica.info()).vector == {ONE: 2, TWO: 2}
    assert await kept(store) == []
    assert await store.kv.get_many(["a", "b"]) == {"a": 1, "b": 2}


async def test_a_damaged_record_is_replaced_by_the_whole_one(store):
    whole = record(ONE, 1)
    damaged = whole._replace(entity_id="note:other")
    result = await store.replica.ingest([damaged, record(ONE, 2)])
    assert [each.code for each in result.rejected] == ["sync.damaged"]
    with pytest.raises(DataError, match="whole"):
        await store.replica.discard(damaged.uid)
    assert (await store.replica.retry()).accepted == 0
    await store.replica.ingest([whole])
    assert await everything(store.replica) == [whole, record(ONE, 2)]
    assert await kept(store) == []
    result = await store.replica.ingest([damaged])  # the whole one is here
    assert (result.rejected, await kept(store)) == ((), [])


async def test_what_is_known_by_a_newer_version_is_taken_by_it(store, monkeypatch):
    await store.replica.ingest([record(ONE, 1, event_type="ramax.newer.done"), record(ONE, 2)])
    assert await kept(store) == [(1, "sync.unsound"), (2, "sync.waiting")]
    assert (await store.replica.retry()).accepted == 0
    monkeypatch.setattr("ramax.sync.quarantine.refusal_of", lambda _record: None)  # the upgrade
    assert (await store.replica.retry()).accepted == 2


async def test_only_what_is_kept_is_discarded(store):
    await store.replica.ingest(records(ONE, 1, 1))
    for uid in (record(ONE, 1).uid, b"u" * 16):
        with pytest.raises(RecordNotFoundError):
            await store.replica.discard(uid)


async def test_a_discarded_record_gives_way_and_is_passed_on_as_it_was(store, memory_url):
    bad, after = unsound(1), given_value(2, "a", 1)
    await store.replica.ingest([bad, after])
    result = await store.replica.discard(bad.uid, "a bug of version 3")
    assert result.vector[ONE] == 2
    assert await kept(store) == []
    assert await store.kv.get("a") == 1
    assert (await store.replica.info()).stamp < AHEAD
    found = await everything(store.replica)
    assert [each for each in found if each.origin == ONE] == [bad, after]
    (said,) = [each for each in found if each.event_type == DISCARDED]
    again = await store.replica.ingest([bad, after])
    assert (again.duplicates, again.rejected) == (2, ())
    async with ramax.connect(memory_url) as other_db:
        other = await replica_in(other_db)
        await other.replica.ingest([bad, after])
        assert await kept(other) == [(1, "sync.unsound"), (2, "sync.waiting")]
        await other.replica.ingest([said])  # what one replica decided holds for all
        assert await kept(other) == []
        assert await everything(other.replica) == await everything(store.replica) or covers(
            (await other.replica.info()).vector, (await store.replica.info()).vector
        )
        assert await other.kv.get("a") == 1
        await other.verify()


async def test_what_is_left_out_lies_where_its_origin_wrote_it_whatever_its_stamp(store):
    bad = given_value(2, "b", 2, stamp=AHEAD)
    given = [given_value(1, "a", 1), bad, given_value(3, "a", 3)]
    await store.replica.ingest(given)
    await store.replica.discard(bad.uid)
    space_id = store.space.space_id
    lie = await store._core.read(lambda ex: runs.read_runs(ex, space_id, after=0, upto=99))
    assert [run.origin_seq for run in lie if run.origin == ONE] == [1, 2, 3]
    stamps = [run.stamp for run in lie if run.origin == ONE]
    assert stamps == [given[0].stamp, given[0].stamp, given[2].stamp]
    assert [each for each in await everything(store.replica) if each.origin == ONE] == given
    assert await store.kv.get("a") == 3
    await store.rebuild_pstate()
    assert await store.kv.get_many(["a", "b"]) == {"a": 3}


@pytest.mark.parametrize("first", ["the record", "the decision"])
async def test_replicas_that_had_taken_the_record_fold_without_it(store, memory_url, first):
    """The device whose clock was ahead has folded its own; everybody comes to the same."""
    async with ramax.connect(memory_url) as other_db, ramax.connect(memory_url) as third_db:
        other, third = await replica_in(other_db), await replica_in(third_db)
        await store.kv.put("a", "before")
        await exchange(store, other, third)
        ahead = given_value(1, "a", "of the future", stamp=AHEAD)
        set_clock(other_db, (AHEAD >> COUNTER_BITS) * 1000)  # it believes the stamp
        await other.replica.ingest([ahead])
        assert await other.kv.get("a") == "of the future"
        await store.replica.ingest([ahead])
        await store.replica.discard(ahead.uid)
        assert await store.kv.get("a") == "before"
        decision = [r for r in await everything(store.replica) if r.event_type == DISCARDED]
        order = [[ahead], decision] if first == "the record" else [decision, [ahead]]
        for each in order:
            await third.replica.ingest(each)
        await other.replica.ingest(decision)
        for each in (store, other, third):
            assert await each.kv.get("a") == "before"
            assert await kept(each) == []
            assert (await each.replica.info()).vector == (await store.replica.info()).vector
            assert (await each.verify()).ok
            await each.rebuild_pstate()
            assert await each.kv.get("a") == "before"
        assert (await third.replica.info()).stamp < AHEAD


async def test_before_it_was_discarded_it_was_there(store, memory_url):
    """as_of goes by the log: what a later event leaves out is in the past of before it."""
    value = given_value(1, "a", 1)
    await store.replica.ingest([value])
    before = (await store.replica.info()).vector
    async with ramax.connect(memory_url) as db:
        other = await replica_in(db)
        await other.replica.ingest([changed(value, stamp=AHEAD)])
        await other.replica.discard(value.uid)
        decision = [r for r in await everything(other.replica) if r.event_type == DISCARDED]
    await store.replica.ingest(decision)
    assert before == {ONE: 1}
    assert await store.kv.get("a") is None
    assert await store.as_of(1).kv.get("a") == 1
    assert await store.as_of(2).kv.get("a") is None


async def test_callers_of_one_commit_bring_what_was_discarded(store):
    bad = unsound(1)
    await store.replica.ingest([bad])
    event = await _decided(store, bad)
    results = await asyncio.gather(*(store.replica.ingest([bad, event]) for _ in range(4)))
    assert [r for each in results for r in each.rejected] == []
    assert (await store.replica.info()).vector == {ONE: 1, TWO: 1}


async def _decided(store, bad):
    async with ramax.connect() as db:
        other = await replica_in(db)
        await other.replica.ingest([bad])
        await other.replica.discard(bad.uid)
        (event,) = [r for r in await everything(other.replica) if r.event_type == DISCARDED]
        return changed(event, origin=TWO, origin_seq=1)


async def test_a_quarantine_is_bounded(store, monkeypatch):
    monkeypatch.setattr(stored, "MOST_RECORDS", 3)
    await store.replica.ingest([unsound(1), *records(ONE, 2, 9)])
    assert [seq for seq, _ in await kept(store)] == [1, 2, 3]
    monkeypatch.setattr(stored, "MOST_BYTES", 0)
    await store.replica.ingest([record(TWO, 1, stamp=AHEAD)])
    assert len(await kept(store)) == 3
    monkeypatch.undo()
    await store.replica.discard(unsound(1).uid)
    assert (await store.replica.info()).vector[ONE] == 3
    await store.replica.ingest(records(ONE, 4, 9))
    assert (await store.replica.info()).vector[ONE] == 9


async def test_a_crash_before_it_is_settled_loses_nothing(store, monkeypatch):
    """What is kept and was taken meanwhile goes with the next look."""
    await store.replica.ingest([unsound(1), record(ONE, 2)])
    monkeypatch.setattr("ramax.sync.quarantine.Quarantine.settle", _killed)
    with pytest.raises(KeyboardInterrupt):
        await store.replica.discard(unsound(1).uid)
    monkeypatch.undo()
    assert (await store.replica.info()).vector[ONE] == 2
    await store.replica.retry()
    assert await kept(store) == []
    assert (await store.replica.info()).vector[ONE] == 2


async def _killed(*_given):
    raise KeyboardInterrupt


@pytest.mark.parametrize("mode", ["inline", "async"])
async def test_rows_of_projections_are_made_anew_without_what_was_discarded(db, mode):
    await diary.create_tables(db)
    store = await db.content_store("notes", diary.diary(mode))
    await store.replica.enable()

    async def projected():
        if mode == "async":
            await store.run_projections(follow=False)
        return await diary.words_of(db, store), (await store.pstate.get("page:p"))

    given = [diary.note(ONE, seq, value, seq) for seq, value in enumerate("abc", 1)]
    await store.replica.ingest(given)
    assert await projected() == (["a", "b", "c"], "a;b;c;")
    said = discarded(given[1].uid, "", "")
    await store.replica.ingest(
        [
            record(
                *(TWO, 1),
                event_type=DISCARDED,
                entity_id=said.entity_id,
                payload=encode(said.payload, "payload"),
                stamp=4 << 16,
            )
        ]
    )
    assert await projected() == (["a", "c"], "a;c;")
    await store.replica.ingest([diary.note(ONE, 4, "d", 5)])
    assert await projected() == (["a", "c", "d"], "a;c;d;")


async def test_a_manager_tries_again_when_it_opens_a_space(db, monkeypatch):
    store = await replica_in(db)
    await store.replica.ingest([unsound(1), record(ONE, 2)])
    async with ramax.SpaceManager(db) as manager:
        await manager.load("notes")
        assert (await store.replica.info()).quarantined == 2
    monkeypatch.setattr("ramax.sync.quarantine.refusal_of", lambda _record: None)  # the upgrade
    async with ramax.SpaceManager(db) as manager:
        await manager.load("notes")
        assert (await store.replica.info()).vector == {ONE: 2}
