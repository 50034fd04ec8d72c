import asyncio
import gc
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramax
from ramax import Domain
from ramax.errors import (
    ClosedError,
    DataError,
    DomainMismatchError,
    EventNotFoundError,
    FoldError,
    KeyNotFoundError,
    MisuseError,
    NestedTransactionError,
    SpaceNotFoundError,
)
from tests._domains import add, counter, delete, documents, put
from tests._elsewhere import wrote
from tests.runtime._damage import damage


@pytest.fixture
async def store(db):
    """d1 is put three times, d2 put and deleted; another space has the same keys."""
    other = await db.content_store("other", documents())
    await other.execute(put, ("d1", {"v": "theirs"}))
    store = await db.content_store("s", documents())
    await store.execute(put, ("d1", {"v": 1}))
    await store.execute(put, ("d2", {"v": 2}))
    await store.execute(put, ("d1", {"v": 3}))
    await store.execute(delete, "d2")
    await store.execute(put, ("d1", {"v": 5}))
    return store


async def whole(pstate: Any) -> dict[str, Any]:
    return {key: value async for key, value in pstate.scan()}


async def test_the_read_model_is_that_of_the_sequence(store):
    expected: list[dict[str, Any]] = [
        {},
        {"d1": {"v": 1}},
        {"d1": {"v": 1}, "d2": {"v": 2}},
        {"d1": {"v": 3}, "d2": {"v": 2}},
        {"d1": {"v": 3}},
        {"d1": {"v": 5}},
    ]
    for sequence, state in enumerate(expected):
        past = await store.as_of(sequence)
        assert past.sequence == sequence
        assert await whole(past.pstate) == state
        assert await past.pstate.count() == len(state)
        assert await past.pstate.get_many(["d2", "d1"]) == dict(sorted(state.items(), reverse=True))


async def test_every_way_to_read_works_also_without_awaiting_the_view(store):
    assert await store.as_of(2).pstate.fetch("d2") == {"v": 2}
    assert await store.as_of(2).pstate.get("d3", "none") == "none"
    assert await store.as_of(3).pstate.get_many(["d2", "d9", "d2"]) == {"d2": {"v": 2}}
    assert [k async for k, _ in store.as_of(3).pstate.scan("d", after="d1")] == ["d2"]
    assert [k async for k, _ in store.as_of(3).pstate.scan(limit=1)] == ["d1"]
    assert [k async for k, _ in store.as_of(3).pstate.scan(limit=0)] == []
    assert await store.as_of(3).pstate.count("d2") == 1
    with pytest.raises(KeyNotFoundError) as caught:
        await store.as_of(4).pstate.fetch("d2")
    assert caught.value.key == "d2"


async def test_a_value_handed_out_is_the_callers_own(store):
    past = await store.as_of(1)
    (await past.pstate.fetch("d1"))["v"] = "changed"
    assert await past.pstate.fetch("d1") == {"v": 1}


async def test_the_events_end_at_the_point(db, store):
    past = await store.as_of(3)
    events = [e async for e in past.events.stream_space_events(batch_size=2)]
    assert [e.space_sequence for e in events] == [1, 2, 3]
    assert past.timestamp == events[-1].timestamp
    assert [e.space_sequence for e in await past.events.get_events("d1")] == [1, 3]
    assert await past.events.get_space_latest_sequence() == 3
    entity = past.events.stream_entity_events("d1", from_sequence=1, to_sequence=9)
    assert [e.space_sequence async for e in entity] == [3]
    cut = past.events.stream_space_events(to_sequence=2)
    assert [e.space_sequence async for e in cut] == [1, 2]
    assert await past.events.get_event(events[1].event_id) == events[1]
    later = (await store.events.get_events("d1"))[-1]
    theirs = (await (await db.content_store("other")).events.get_events("d1"))[0]
    for event in (later, theirs):
        with pytest.raises(EventNotFoundError):
            await past.events.get_event(event.event_id)


async def test_a_moment_means_after_the_last_event_that_is_not_later(db, store):
    for sequence in range(1, 6):
        await damage(
            db,
            "UPDATE events SET timestamp = :at WHERE space_id = :space AND space_sequence = :s",
            at=sequence * 1_000_000,
            s=sequence,
            space=store.space.space_id,
        )
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for seconds, sequence in ((0, 0), (0.999999, 0), (1, 1), (3.5, 3), (5, 5), (6, 5)):
        past = await store.as_of(epoch + timedelta(seconds=seconds))
        assert past.sequence == sequence
        at = None if sequence == 0 else epoch + timedelta(seconds=sequence)
        assert past.timestamp == at
    elsewhere = datetime(1970, 1, 1, 5, 30, 2, tzinfo=timezone(timedelta(hours=5.5)))
    assert await whole((await store.as_of(elsewhere)).pstate) == {"d1": {"v": 1}, "d2": {"v": 2}}
    assert (await store.as_of(datetime.now(UTC))).sequence == 5


NAIVE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize("at", [-1, True, 1.0, "1", None, date(2026, 1, 1), NAIVE])
async def test_what_can_be_no_point_is_refused_at_once(store, at):
    with pytest.raises(DataError, match="as_of"):
        store.as_of(at)


async def test_what_is_not_yet_is_refused(store):
    with pytest.raises(DataError, match="beyond the newest event, which is 5"):
        await store.as_of(6)
    with pytest.raises(DataError, match="beyond"):
        await store.as_of(6).pstate.get("d1")
    with pytest.raises(DataError, match="in the future"):
        await store.as_of(datetime.now(UTC) + timedelta(hours=1))


async def test_the_point_is_known_once_it_was_looked_up(store):
    past = store.as_of(2)
    with pytest.raises(MisuseError, match="await"):
        _ = past.sequence
    await past.pstate.get("d1")
    assert past.sequence == 2


async def test_later_events_do_not_change_a_view(store):
    past = await store.as_of(5)
    await store.execute(put, ("d1", {"v": 6}))
    assert await past.pstate.fetch("d1") == {"v": 5}
    assert [e.space_sequence async for e in past.events.stream_space_events()][-1] == 5


async def test_it_is_the_fold_of_the_log_whatever_is_stored(db, store):
    await store.pstate.put("direct", 1)
    await store.events.append("d9", "doc.put", {"v": 9})  # not folded
    await damage(db, "DELETE FROM pstate_entities")
    assert await whole(store.as_of(6).pstate) == {"d1": {"v": 5}, "d9": {"v": 9}}
    assert await store.get_checkpoint() == 5


async def test_nothing_is_written(db, store):
    from tests._tables import dump  # noqa: PLC0415

    before = await dump(db)
    await whole(store.as_of(4).pstate)
    assert await dump(db) == before


async def test_only_the_domain_whose_fold_it_is_may_look_back(db, store):
    bare = await db.content_store("s")
    wrong = await db.content_store("s", counter())
    for each in (bare, wrong):
        with pytest.raises(DomainMismatchError, match="documents"):
            await each.as_of(2).pstate.get("d1")
        past = await each.as_of(2)
        assert [e.space_sequence async for e in past.events.stream_space_events()] == [1, 2]


async def test_an_applicator_that_fails_fails_the_reads_and_names_the_event(db):
    domain = Domain("d")

    @domain.applicator("ok")
    def ok(state: Any, event: Any) -> None:
        state["n"] = event.space_sequence

    store = await db.content_store("s", domain)
    await store.events.append("e", "ok", {})
    await store.events.append("e", "bad", {})
    await store.events.append("e", "ok", {})

    def fail(state: Any, event: Any) -> None:
        raise ValueError(event.event_type)

    broken = Domain("d", fail)
    broken.applicator("ok")(ok)
    past = (await db.content_store("s", broken)).as_of(3)
    for _ in range(2):
        with pytest.raises(FoldError) as caught:
            await past.pstate.get("n")
        assert caught.value.sequence == 2


async def test_an_unused_default_space_has_an_empty_past(db):
    store = await db.content_store("default", counter())
    past = await store.as_of(0)
    assert (past.sequence, past.timestamp) == (0, None)
    assert await whole(past.pstate) == {}
    assert [e async for e in past.events.stream_space_events()] == []
    assert (await store.as_of(datetime(2020, 1, 1, tzinfo=UTC))).sequence == 0
    await store.execute(add)
    assert await store.as_of(1).pstate.get("n") == 1
    assert await past.pstate.get("n") is None


async def test_a_deleted_space_has_no_past(db, store):
    past = await store.as_of(3)
    await db.spaces.delete("s", force=True)
    for look in (past.pstate.get("d1"), store.as_of(3).pstate.get("d1"), store.as_of(1).point()):
        with pytest.raises(SpaceNotFoundError):
            await look


async def test_a_closed_view_and_a_closed_database_say_so(url):
    async with ramax.connect(url) as db:
        store = await db.content_store("s", documents())
        await store.execute(put, ("d1", {}))
        async with store.as_of(1) as past:
            assert await past.pstate.get("d1") == {}
            scan = past.pstate.scan()
            await anext(scan)
        with pytest.raises(ClosedError, match="view"):
            await past.pstate.get("d1")
        with pytest.raises(ClosedError, match="view"):
            await anext(scan)
        open_still = await store.as_of(1)
        await open_still.pstate.get("d1")
    with pytest.raises(ClosedError, match="database"):
        await open_still.pstate.get("d1")


async def test_a_task_inside_a_transaction_is_told_before_it_hangs(store):
    past = store.as_of(2)
    async with store.transaction():
        with pytest.raises(NestedTransactionError):
            await past.pstate.get("d1")


async def test_many_readers_of_one_view_fold_it_once(db):
    folded = []
    domain = Domain("d", lambda _, event: folded.append(event.space_sequence))
    store = await db.content_store("s", domain)
    for _ in range(3):
        await store.events.append("e", "t", {})
    past = store.as_of(3)
    await asyncio.gather(*(past.pstate.get("k") for _ in range(10)))
    assert folded == [1, 2, 3]


async def test_a_reader_that_is_cancelled_leaves_the_view_usable(db, store):
    past = store.as_of(5)
    reading = asyncio.create_task(past.pstate.get("d1"))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert await past.pstate.get("d1") == {"v": 5}


async def test_memory_is_bounded_and_a_forgotten_view_leaves_no_file_open(url):
    """20 MB of state in views that may hold 1 MB."""
    async with ramax.connect(url, rebuild_memory=1 << 20) as db:
        store = await db.content_store("s", documents())
        filler = "x" * 10_000
        for start in range(0, 2000, 100):
            await store.execute_many(
                [(put, (f"d{n:05}", {"t": filler})) for n in range(start, start + 100)]
            )
        past = store.as_of(2000)
        gc.collect()
        tracemalloc.start()
        assert await past.pstate.count() == 2000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (await past.pstate.fetch("d01999"))["t"] == filler
        file = past._values
        assert file._file is not None
        del past
        gc.collect()
        assert file._file is None
    assert peak < 45_000_000  # one page of 2,000 events of 10 kB, not the events and the state


commands = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "add"]), st.sampled_from("abc")), max_size=12
)


@settings(max_examples=15, deadline=None)
@given(commands)
def test_every_point_is_what_a_dict_was_there(script):
    asyncio.run(_same_as_dict(script))


async def _same_as_dict(script: list[tuple[str, str]]) -> None:
    async with ramax.connect() as db:
        store = await db.content_store("s", documents())
        model: dict[str, Any] = {}
        states = [dict(model)]
        for number, (verb, key) in enumerate(script):
            if verb == "delete" and key in model:
                await store.execute(delete, key)
                del model[key]
            else:
                await store.execute(put, (key, {"n": number}))
                model[key] = {"n": number}
            states.append(dict(model))
        for sequence, state in enumerate(states):
            assert await whole(store.as_of(sequence).pstate) == state


async def test_a_moment_is_found_where_another_replica_wrote_on_a_wrong_clock(db):
    """A time that lies far ahead hides nothing that was written after it."""
    store = await db.content_store("s", counter())
    await store.replica.enable()
    (first,) = (await store.execute(add)).events
    stamp = (await store.replica.info()).stamp >> 16
    ahead = {"timestamp": 4 * 10**15}  # in 2096
    behind = {"timestamp": 1}
    await store.replica.ingest(
        [
            wrote(1, "kv.put", "k", {"value": 1}, stamp + 1, **ahead),
            wrote(2, "kv.put", "k", {"value": 2}, stamp + 2, **behind),
        ]
    )
    (last,) = (await store.execute(add)).events
    assert (await store.as_of(last.timestamp)).sequence == 4
    assert await store.as_of(last.timestamp).kv.get("k") == 2
    assert await store.kv.get("k", as_of=last.timestamp) == 2
    assert (await store.as_of(first.timestamp - timedelta(milliseconds=1))).sequence == 0
    await db.branches.fork("main", "dev", at=last.timestamp)
    forked = await db.at_branch("dev").content_store("s", counter())
    assert (await forked.as_of(last.timestamp)).sequence == 4
