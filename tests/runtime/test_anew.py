"""From where late events are folded: a snapshot that is true, or the beginning."""

import pytest

from ramax import Domain, NewEvent
from ramax.core.codec import encode
from ramax.core.datatypes.replica import discarded
from ramax.runtime import anew, trail
from ramax.runtime.anew import Anew
from ramax.runtime.refold import Refold
from ramax.runtime.replay import Replay
from ramax.runtime.trail import Trail
from ramax.storage.canonical_snapshots import drop_canonical_from
from ramax.testing.records import record
from tests.runtime._beside import between_pages, folds_like_a_rebuild, keys_of, receive

ONE, TWO, THREE = b"device-of-origin", b"device-of-two...", b"device-of-three."


def entry(seq, stamp):
    said = {"event_type": "ramax.log.seen", "entity_id": "ramax.log:entries"}
    return record(ONE, seq, stamp=stamp, payload=encode({"n": "late"}, "payload"), **said)


@pytest.fixture
async def store(db, monkeypatch):
    monkeypatch.setattr(trail, "NEAREST", 2)
    store = await db.content_store("notes")
    await store.log.append_many([("seen", {"n": n}) for n in range(20)])
    await store.replica.enable()
    return store


async def stamp_near_the_end(store):
    return (await store.replica.info()).stamp - 1


async def test_it_goes_on_from_a_snapshot_before_the_event(store, monkeypatch):
    monkeypatch.setattr(anew, "Refold", None)
    await store.replica.ingest([entry(1, await stamp_near_the_end(store))])
    assert await store.log.len() == 21
    assert (await store.verify()).ok


async def test_before_all_snapshots_everything_is_folded(store, monkeypatch):
    monkeypatch.setattr(Replay, "swap", None)
    await store.replica.ingest([entry(1, 1 << 16)])
    assert (await store.log.range(1, 2))[0].payload == {"n": "late"}
    assert (await store.verify()).ok


async def test_a_snapshot_that_goes_meanwhile_has_everything_folded(store, monkeypatch):
    fold_page = Anew.fold_page

    def folding(self, ex):
        more = fold_page(self, ex)
        if isinstance(self._fold, Replay):
            self._fold._chunks._read.clear()
            self._tries = 9
        return more

    begun = begins(monkeypatch)
    monkeypatch.setattr(anew, "_PART", 2)
    monkeypatch.setattr(Anew, "fold_page", folding)
    swap = Replay.swap

    def swapping(self, ex, guard, now):
        drop_canonical_from(ex, store.space.space_id)
        swap(self, ex, guard, now)

    monkeypatch.setattr(Replay, "swap", swapping)
    await store.replica.ingest([entry(1, await stamp_near_the_end(store) - 6)])
    assert begun == [Replay, Refold]
    assert await store.log.len() == 21
    assert (await store.verify()).ok


async def test_what_comes_before_it_meanwhile_is_not_left_out(db, store, monkeypatch):
    """Another late event comes while the first one is folded beside live writes."""
    came: list[int] = []
    stamp = await stamp_near_the_end(store)
    read_whole = store._core.read_whole

    async def reading(work):
        found = await read_whole(work)
        if getattr(work, "__func__", None) is Anew.fold_page and not came:
            came.append(1)
            two = await db.content_store("notes")
            await two.replica.ingest([entry(2, stamp)])
        return found

    monkeypatch.setattr(type(store._core), "read_whole", lambda _self, work: reading(work))
    await store.replica.ingest([entry(1, stamp - 1)])
    assert came
    assert await store.log.len() == 22
    assert (await store.verify()).ok


# -- beside those who write ------------------------------------------------------------------------


def counted() -> Domain:
    """Keys with a number in them: an event that comes late gives all that follow other keys."""
    domain = Domain("counted", fold_version=1)

    @domain.applicator("said")
    def was_said(state, event):
        count = state["count"] = state.get("count", 0) + 1
        state[f"{count:03}:{event.payload['what']}"] = count

    @domain.applicator("taken.back")
    def was_taken_back(state, _event):
        state.pop(f"{state['count']:03}:z", None)

    return domain


def say(_state, what):
    return [NewEvent("said", {"what": what}, entity_id="e")]


def take_back(_state, _params):
    return [NewEvent("taken.back", {}, entity_id="e")]


def said(seq, stamp, what="late", event_type="said", origin=ONE):
    payload = encode({"what": what}, "payload")
    return record(origin, seq, stamp=stamp, payload=payload, event_type=event_type)


@pytest.fixture
async def counting(db, monkeypatch):
    monkeypatch.setattr(trail, "NEAREST", 2)
    store = await db.content_store("notes", counted())
    for _ in range(20):
        await store.execute(say, "z")
    await store.replica.enable()
    return store


def swaps(monkeypatch):
    """Return a list that says how each late event was folded in the end."""
    done = []
    for how in (Replay, Refold):

        def swapping(self, *given, how=how, swap=how.swap):
            swap(self, *given)
            done.append(how)

        monkeypatch.setattr(how, "swap", swapping)
    return done


def begins(monkeypatch):
    """Return a list that says how late events began to be folded."""
    begun: list[type] = []
    begin = Anew._begin

    def beginning(self, ex):
        found = begin(self, ex)
        begun.append(type(found))
        return found

    monkeypatch.setattr(Anew, "_begin", beginning)
    return begun


async def test_keys_that_commands_wrote_between_pages_are_compared_as_well(
    db, counting, monkeypatch
):
    """Others fold the late event and write; another one comes, which gives that other keys."""
    stamp = await stamp_near_the_end(counting)
    two = await db.content_store("notes", counted())

    async def live(page):
        if page == 1:
            await two.execute(say, "live")
            assert await two.pstate.get("022:live") == 22
            await receive(two, said(2, (await two.replica.info()).stamp - 1, "between"))

    between_pages(monkeypatch, counting._core, live)
    await counting.replica.ingest([said(1, stamp)])
    keys = await folds_like_a_rebuild(counting)
    assert {"022:between", "023:live"} <= keys
    assert "022:live" not in keys


async def test_what_others_folded_and_deleted_between_pages_stays_deleted(
    db, counting, monkeypatch
):
    stamp = await stamp_near_the_end(counting)
    two = await db.content_store("notes", counted())

    async def live(page):
        if page == 2:
            await two.execute(take_back)
            now = (await two.replica.info()).stamp
            await receive(two, said(2, now - 1, "z"), said(3, now + 1, event_type="taken.back"))

    between_pages(monkeypatch, counting._core, live)
    await counting.replica.ingest([said(1, stamp)])
    keys = await folds_like_a_rebuild(counting)
    assert "022:z" not in keys


async def test_a_replay_ends_beside_somebody_who_writes_all_the_time(db, counting, monkeypatch):
    """Facts are appended after every page; what came after the last one is folded in the end."""
    done, stamp = swaps(monkeypatch), await stamp_near_the_end(counting)

    async def live(page):
        if page < 50:
            await counting.events.append_many([NewEvent("said", {"what": "x"}, entity_id="e")])

    pages = between_pages(monkeypatch, counting._core, live)
    await counting.replica.ingest([said(1, stamp)])
    assert done == [Replay]
    assert len(pages) < 10
    assert f"{21 + len(pages):03}:x" in await folds_like_a_rebuild(counting)


async def test_late_events_that_come_after_every_page_have_an_end_too(db, counting, monkeypatch):
    """Each belongs before what was folded; after some tries everything is folded."""
    done, stamp = swaps(monkeypatch), await stamp_near_the_end(counting) - 500

    async def live(page):
        await receive(counting, said(page + 1, stamp + page, f"late {page}"))

    pages = between_pages(monkeypatch, counting._core, live)
    await counting.replica.ingest([said(1, stamp)])
    assert done == [Refold]
    assert len(pages) < 20
    assert len(await folds_like_a_rebuild(counting)) == 22 + len(pages)


async def test_what_is_discarded_between_pages_is_left_out_of_what_snapshots_hold(
    db, counting, monkeypatch
):
    bad = said(1, await stamp_near_the_end(counting) + 2, "bad")
    await counting.replica.ingest([bad])
    for _ in range(10):
        await counting.execute(say, "z")
    monkeypatch.setattr(Trail, "_is_sparse", lambda _self: True)
    await counting.replica.ingest([said(1, 1 << 16, origin=TWO)])  # folds everything
    assert "022:bad" in await keys_of(counting)
    stamp = await stamp_near_the_end(counting)
    event = discarded(bad.uid, "sync.unsound", "no")
    decision = record(
        THREE,
        1,
        stamp=stamp + 2,
        payload=encode(event.payload, "payload"),
        event_type=event.event_type,
        entity_id=event.entity_id,
    )

    async def live(page):
        if page == 1:
            await receive(counting, decision)

    between_pages(monkeypatch, counting._core, live)
    done, begun = swaps(monkeypatch), begins(monkeypatch)
    await counting.replica.ingest([said(2, stamp, "late", origin=TWO)])
    assert done == [Refold]
    assert begun == [Replay, Refold]
    assert "022:bad" not in await keys_of(counting)
    assert (await counting.verify()).ok


async def test_where_a_replay_gains_nothing_everything_is_folded(db, counting, monkeypatch):
    """The snapshots lie in the first half of what is to be folded again."""
    done, stamp = swaps(monkeypatch), await stamp_near_the_end(counting)
    monkeypatch.setattr(anew, "_PART", 0.1)
    await counting.replica.ingest([said(1, stamp)])
    monkeypatch.setattr(anew, "_PART", 0.9)
    monkeypatch.setattr(anew, "_CHUNKS", 0)
    await counting.replica.ingest([said(2, stamp + 2), said(1, stamp, origin=TWO)])
    assert done == [Refold, Refold]
    await folds_like_a_rebuild(counting)
