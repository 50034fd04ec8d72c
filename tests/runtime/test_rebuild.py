"""Rebuild: the fold of the whole history in place of the stored state, while life goes on."""

import asyncio
import gc
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from threading import Thread

import pytest

import ramax
from ramax import Domain, MisuseError, NewEvent
from ramax.errors import DomainMismatchError, FoldError, SpaceNotFoundError, StateReplacedError
from ramax.storage import pstate
from ramax.storage.pstate import read_scan
from tests._notes import NOTES, expected, notes, payloads, scanned, some, write
from tests._tables import dump, of_space, without_space
from tests.concurrency._postgres_sessions import alone
from tests.concurrency._processes import await_ready, go, started
from tests.runtime._damage import damage

OLD, NEW = notes(1), notes(2)
KEYS = [f"note:{i}" for i in range(NOTES)]


async def filled(db, domain=OLD, name="mine", events=200):
    store = await db.content_store(name, domain)
    for start in range(0, events, 50):
        await store.execute(write, some(start, min(50, events - start)))
    return store


async def whole(store):
    """Every note is there, so that a missing one shows."""
    await store.execute(write, [(i, f"first {i}") for i in range(NOTES)])
    return store


def small_pages(db, size=20, memory=None):
    core = db._core
    core.options = replace(
        core.options,
        page=size,
        rebuild_memory=core.options.rebuild_memory if memory is None else memory,
    )


async def is_fold(store, version):
    assert await scanned(store) == expected(await payloads(store), version)
    assert await store.get_checkpoint() == await store.events.get_space_latest_sequence()


# -- what it leaves ------------------------------------------------------------------------------


async def test_a_damaged_state_becomes_the_fold_again(db):
    store = await filled(db)
    await damage(
        db, "UPDATE pstate_entities SET value = :value WHERE key = 'note:1'", value=b"\x01"
    )
    await damage(db, "DELETE FROM pstate_entities WHERE key = 'count'")
    await damage(
        db,
        "INSERT INTO pstate_entities (space_id, key, value, format, updated_at, direct) "
        "SELECT space_id, 'made up', value, format, updated_at, direct FROM pstate_entities "
        "WHERE key = 'log:0'",
    )
    assert await store.rebuild_pstate() == 200
    await is_fold(store, 1)


async def test_a_new_version_of_the_applicators_takes_over(db):
    await filled(db)
    store = await db.content_store("mine", NEW)
    assert await store.rebuild_pstate() == 200
    await is_fold(store, 2)
    await store.execute(write, some(200, 20))
    await is_fold(store, 2)


async def test_a_key_that_events_deleted_does_not_come_back(db):
    store = await filled(db, events=0)
    await store.execute(write, [(1, "a"), (2, "b"), (1, None)])
    await store.rebuild_pstate()
    assert await store.pstate.get("note:1") is None
    await damage(
        db,
        "INSERT INTO pstate_entities (space_id, key, value, format, updated_at, direct) "
        "SELECT space_id, 'note:1', value, format, updated_at, direct FROM pstate_entities "
        "WHERE key = 'note:2'",
    )
    await store.rebuild_pstate()
    await is_fold(store, 1)


async def test_others_stay_as_they_are_byte_by_byte(db):
    store = await filled(db)
    await filled(db, name="other", events=120)
    await (await db.content_store("other")).update_checkpoint(5, name="mails")
    await db.content_store("empty", NEW)
    before = await dump(db)
    store = await db.content_store("mine", NEW)
    await store.rebuild_pstate()
    after = await dump(db)
    space_id = store.space.space_id
    assert without_space(after, space_id) == without_space(before, space_id)
    mine = of_space(after, space_id)
    assert mine["events"] == of_space(before, space_id)["events"]
    assert mine["pstate_entities"] != of_space(before, space_id)["pstate_entities"]


async def test_only_rows_that_differ_are_written(db):
    store = await filled(db)
    await damage(db, "UPDATE pstate_entities SET updated_at = 7")
    await damage(db, "UPDATE pstate_entities SET direct = 1 WHERE key = 'note:2'")
    await damage(db, "DELETE FROM pstate_entities WHERE key = 'note:3'")
    await damage(db, "UPDATE pstate_entities SET format = 'json' WHERE key = 'count'")
    await store.rebuild_pstate()
    rows = of_space(await dump(db), store.space.space_id)["pstate_entities"]
    written = {row["key"] for row in rows if row["updated_at"] != 7}
    assert written == {"note:2", "note:3", "count"}
    assert {row["direct"] for row in rows} == {0}
    assert {row["format"] for row in rows} == {"msgpack"}
    await is_fold(store, 1)


async def test_keys_that_put_wrote_are_dropped(db):
    store = await filled(db)
    await store.pstate.put("direct", {"by": "hand"})
    with pytest.raises(MisuseError):
        await store.pstate.put("count", 5)
    await store.rebuild_pstate()
    assert await store.pstate.get("direct") is None
    await is_fold(store, 1)
    await store.pstate.put("direct", "again")
    assert await store.pstate.get("direct") == "again"


async def test_an_empty_space_is_rebuilt_to_nothing(db):
    seen: list[ramax.Progress] = []
    store = await db.content_store("empty", OLD)
    await store.pstate.put("direct", 1)
    assert await store.rebuild_pstate(progress=seen.append) == 0
    assert await scanned(store) == {}
    assert [(p.done, p.total) for p in seen] == [(0, 0)]
    assert (await store.execute(write, some(0, 1))).space_sequence == 1


async def test_the_default_space_can_be_rebuilt_before_it_was_written_to(db):
    assert await (await db.content_store(domain=OLD)).rebuild_pstate() == 0


@pytest.mark.parametrize("events", [19, 20, 21, 40])
async def test_a_history_longer_than_a_page(db, events):
    small_pages(db, 20)
    store = await filled(db, events=events)
    store = await db.content_store("mine", NEW)
    assert await store.rebuild_pstate() == events
    await is_fold(store, 2)


async def test_events_that_were_never_folded_are(db):
    store = await filled(db)
    await store.events.append_many([NewEvent("written", {"id": 1, "text": "raw"})])
    await store.rebuild_pstate()
    await is_fold(store, 1)
    assert (await store.pstate.fetch("note:1"))["text"] == "raw"


async def test_the_new_domain_is_remembered(db):
    await filled(db)
    other = Domain("other")
    other.applicator("written")(lambda state, event: state.update({"n": event.space_sequence}))
    store = await db.content_store("mine", other)
    with pytest.raises(DomainMismatchError):
        await store.execute(write, some(0, 1))
    await store.rebuild_pstate()
    assert await scanned(store) == {"n": 200}
    with pytest.raises(DomainMismatchError):
        await (await db.content_store("mine", OLD)).execute(write, some(0, 1))


async def test_progress_is_reported_page_by_page(db):
    small_pages(db, 50)
    store = await filled(db)
    seen: list[ramax.Progress] = []
    await store.rebuild_pstate(progress=seen.append)
    assert [p.done for p in seen] == [50, 100, 150, 200]
    assert {p.total for p in seen} == {200}
    assert all(0 <= one.seconds <= other.seconds for one, other in pairwise(seen))


async def test_a_progress_callback_that_fails_ends_the_rebuild(db):
    await filled(db)
    before = await dump(db)
    store = await db.content_store("mine", NEW)
    with pytest.raises(ZeroDivisionError):
        await store.rebuild_pstate(progress=lambda _: 1 / 0)
    assert await dump(db) == before


# -- a rebuild that fails ------------------------------------------------------------------------


def failing(at):
    domain = Domain("notes", entity_id=lambda _: "e")

    @domain.applicator("*")
    def apply(state, event):
        state[f"new:{event.space_sequence}"] = 1
        if event.space_sequence == at:
            raise ValueError("cannot")

    return domain


@pytest.mark.parametrize("at", [1, 50, 200])
async def test_a_failing_applicator_leaves_the_old_state_and_names_the_event(db, at):
    small_pages(db, 30)
    await filled(db)
    before = await dump(db)
    store = await db.content_store("mine", failing(at))
    with pytest.raises(FoldError, match=f"event {at} of space 'mine'") as caught:
        await store.rebuild_pstate()
    assert isinstance(caught.value.__cause__, ValueError)
    assert await dump(db) == before
    await is_fold(await db.content_store("mine", OLD), 1)


async def test_cancelling_leaves_the_old_state_and_no_work_behind(db):
    small_pages(db, 10)
    await filled(db)
    before = await dump(db)
    store = await db.content_store("mine", NEW)
    began = asyncio.Event()
    running = asyncio.create_task(store.rebuild_pstate(progress=lambda _: began.set()))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await dump(db) == before
    assert await store.rebuild_pstate() == 200
    await is_fold(store, 2)


async def test_a_space_that_is_deleted_meanwhile_is_not_found(db):
    small_pages(db, 10)
    await filled(db)
    store = await db.content_store("mine", NEW)
    tasks: list[asyncio.Task[None]] = []

    def delete(progress):
        if not tasks:
            tasks.append(asyncio.create_task(db.spaces.delete("mine", force=True)))

    with pytest.raises(SpaceNotFoundError):
        await store.rebuild_pstate(progress=delete)
    await tasks[0]
    assert of_space(await dump(db), store.space.space_id) == {}
    with pytest.raises(SpaceNotFoundError):
        await store.rebuild_pstate()


async def test_a_handle_inside_a_transaction_does_not_rebuild(db):
    store = await filled(db)
    async with store.transaction():
        with pytest.raises(MisuseError):
            await store.rebuild_pstate()


# -- others read meanwhile -----------------------------------------------------------------------


async def test_a_reader_sees_the_old_state_or_the_new_one(db):
    small_pages(db, 10)
    old = await whole(await db.content_store("mine", OLD))
    new = await db.content_store("mine", NEW)
    seen: list[set[int]] = []
    done = False

    async def read():
        while not done:
            found = await old.pstate.get_many(KEYS)
            assert len(found) == NOTES
            seen.append({value["v"] for value in found.values()})
            await asyncio.sleep(0)  # what is read from memory never waits

    readers = [asyncio.create_task(read()) for _ in range(3)]
    while not seen:  # the old state is there to be read first
        await asyncio.sleep(0)
    for store in (new, old, new):
        await store.rebuild_pstate()
    done = True
    await asyncio.gather(*readers)
    assert {1} in seen
    assert {1, 2} not in seen
    assert (await new.pstate.fetch("note:0"))["v"] == 2


async def test_another_process_sees_the_old_state_or_the_new_one(durable_url):
    async with ramax.connect(durable_url) as db:
        small_pages(db, 10)
        await whole(await db.content_store("mine", OLD))
        new = await db.content_store("mine", NEW)
        with started("notes", durable_url, "mine", "1", "read", "20") as reader:
            await asyncio.to_thread(await_ready, reader)
            go(reader)
            assert reader.stdout is not None
            assert await asyncio.to_thread(reader.stdout.readline) == "old\n"
            await new.rebuild_pstate()
            output, errors = await asyncio.to_thread(reader.communicate, timeout=60)
            assert reader.returncode == 0, errors
            assert output.endswith("saw [1, 2]\n")


async def test_a_scan_across_the_swap_begins_again(db):
    domain = Domain("many")

    @domain.applicator("filled")
    def fill(state, event):
        state.update({f"key:{i:05}": event.space_sequence for i in range(2500)})

    store = await db.content_store("mine", domain)
    await store.execute(lambda *_: [NewEvent("filled", {}, entity_id="e")])
    scan = store.pstate.scan()
    assert (await anext(scan))[0] == "key:00000"
    await store.rebuild_pstate()
    with pytest.raises(StateReplacedError, match="start again") as caught:
        async for _ in scan:
            pass
    assert caught.value.retryable
    assert len(await scanned(store)) == 2500


@pytest.mark.postgres
async def test_a_swap_between_the_statements_of_a_page_is_noticed(postgres_url, monkeypatch):
    domain = Domain("many", entity_id=lambda _: "e")

    @domain.applicator("filled")
    def fill(state, event):
        state.update({f"key:{i:05}": "old" for i in range(1500)})

    async def swap():
        async with ramax.connect(postgres_url) as other:
            await damage(other, "UPDATE pstate_entities SET value = :new", new=b"\xa3new")
            await (await other.content_store("mine", domain)).rebuild_pstate()

    def read_after_swap(*given, **named):
        """Another thread swaps just before the second page is read."""
        if named["after"]:
            thread = Thread(target=lambda: asyncio.run(swap()))
            thread.start()
            thread.join()
        return read_scan(*given, **named)

    monkeypatch.setattr(pstate, "read_scan", read_after_swap)
    async with ramax.connect(postgres_url) as db:
        store = await db.content_store("mine", domain)
        await store.execute(lambda *_: [NewEvent("filled", {})])
        with pytest.raises(StateReplacedError):
            await scanned(store)


async def test_a_process_that_caches_sees_what_a_rebuild_elsewhere_left(durable_url):
    """A decision after the rebuild rests on the new state, whoever cached the old one."""
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        mine = await whole(await here.content_store("mine", OLD))
        await (await there.content_store("mine", NEW)).rebuild_pstate()
        seen = []

        def look(state, params):
            seen.append(state["note:1"]["v"])
            return []

        await mine.execute(look)
        assert seen[-1] == 2
        assert (await mine.pstate.fetch("note:1"))["v"] == 2


# -- others write meanwhile ----------------------------------------------------------------------


async def test_commands_meanwhile_are_neither_lost_nor_applied_twice(db):
    small_pages(db, 50)
    store = await filled(db)

    async def write_on(first):
        for number in range(40):
            await store.execute(write, some(first + number, 3))

    writing = asyncio.gather(*(write_on(1000 * i) for i in range(4)))
    while not writing.done():
        await store.rebuild_pstate()
    await writing
    assert len(await payloads(store)) == 200 + 4 * 40 * 3
    await is_fold(store, 1)
    before = await dump(db)
    await store.rebuild_pstate()
    after = await dump(db)
    assert after["pstate_entities"] == before["pstate_entities"]


async def test_raw_appends_and_puts_meanwhile(db):
    """Puts replace the comparison again and again; at last it is made under the lock."""
    small_pages(db, 50)
    store = await filled(db)

    async def put():
        for number in range(60):
            await store.pstate.put(f"direct:{number % 3}", number)
            await store.pstate.delete(f"direct:{number % 2}")

    async def append():
        for _ in range(60):
            await store.events.append_many([NewEvent("written", {"id": 3, "text": "raw"})])

    interfering = asyncio.gather(put(), append())
    while not interfering.done():
        await store.rebuild_pstate()
    await interfering
    left = {k: v for k, v in (await scanned(store)).items() if not k.startswith("direct:")}
    assert left == expected(await payloads(store), 1)
    await store.rebuild_pstate()
    await is_fold(store, 1)


@pytest.mark.parametrize("version", [1, 2])
async def test_another_process_writes_meanwhile(durable_url, version):
    """With the same applicators, or with older ones that write and delete keys of their own.

    What the older one writes after the last swap is its fold, so the last rebuild is after it.
    """
    async with ramax.connect(durable_url) as db:
        small_pages(db, 50)
        await filled(db, notes(version), events=100)
        store = await db.content_store("mine", NEW)
        with started("notes", durable_url, "mine", str(version), "write", "300") as writer:
            await asyncio.to_thread(await_ready, writer)
            go(writer)
            rebuilt = 0
            while writer.poll() is None:
                await store.rebuild_pstate()
                rebuilt += 1
            output, errors = writer.communicate()
            assert writer.returncode == 0, errors + output
        assert rebuilt > 1
        assert len(await payloads(store)) == 400
        if version == 1:
            await store.rebuild_pstate()
        await is_fold(store, 2)


async def test_older_applicators_meanwhile_leave_exactly_the_new_fold(db):
    """The swap finds what they wrote or deleted after the comparison had passed."""
    small_pages(db, 10)
    old = await filled(db)
    new = await db.content_store("mine", NEW)
    waiting: set[asyncio.Task[ramax.Commit]] = set()

    def interfere(progress):
        start = progress.done
        if len(waiting) >= 40:  # else it would never catch up
            return
        erase = [(i, None) for i in range(start % NOTES, NOTES, 3)]
        for params in (some(start, 3), erase):
            waiting.add(asyncio.create_task(old.execute(write, params)))

    await new.rebuild_pstate(progress=interfere)
    at_swap = await scanned(new), await payloads(new), await new.get_checkpoint()
    await asyncio.gather(*waiting)
    state, known, checkpoint = at_swap
    if checkpoint == len(known):
        assert state == expected(known, 2)
    await new.rebuild_pstate()
    await is_fold(new, 2)


async def test_two_rebuilds_at_once(db):
    small_pages(db, 10)
    old = await filled(db)
    new = await db.content_store("mine", NEW)
    assert await asyncio.gather(*(new.rebuild_pstate() for _ in range(4))) == [200] * 4
    await is_fold(new, 2)
    await asyncio.gather(new.rebuild_pstate(), old.rebuild_pstate())
    state = await scanned(new)
    assert state in (expected(await payloads(new), 1), expected(await payloads(new), 2))


async def test_rebuilds_of_two_processes_at_once(durable_url):
    async with ramax.connect(durable_url) as db:
        await filled(db)
        store = await db.content_store("mine", NEW)
        with started("notes", durable_url, "mine", "2", "rebuild", "5") as other:
            await asyncio.to_thread(await_ready, other)
            go(other)
            while other.poll() is None:
                await store.rebuild_pstate()
            assert other.returncode == 0, other.communicate()[1]
        await is_fold(store, 2)


async def test_rebuilds_of_several_spaces_at_once(db):
    stores = [await filled(db, name=f"space-{i}", events=60 + i) for i in range(5)]
    done = await asyncio.gather(*(store.rebuild_pstate() for store in stores))
    assert done == [60 + i for i in range(5)]
    for store in stores:
        await is_fold(store, 1)


# -- kill ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [6, pytest.param(60, marks=pytest.mark.nightly)])
async def test_a_killed_rebuild_leaves_the_old_state_or_the_new_one(durable_url, rounds):
    async with ramax.connect(durable_url) as db:
        await filled(db, events=3000)
        history = await payloads(await db.content_store("mine"))
    states = {version: expected(history, version) for version in (1, 2)}
    for number in range(rounds):
        version = 2 - number % 2
        with started("notes", durable_url, "mine", str(version), "rebuild", "1") as process:
            await_ready(process)
            go(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "2000\n"
            time.sleep(0.004 * number)  # another instant each time, before and after the swap
            process.kill()
            process.wait()
        await alone(durable_url)
        async with ramax.connect(durable_url) as db:
            store = await db.content_store("mine")
            assert await scanned(store) in states.values()
            assert await store.get_checkpoint() == 3000
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("mine", NEW)
        await store.rebuild_pstate()
        await is_fold(store, 2)


# -- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [0, 3000])
async def test_a_state_beyond_the_memory_comes_out_the_same(url, memory):
    async with ramax.connect(url, rebuild_memory=memory) as db:
        small_pages(db, 30)
        await filled(db)
        store = await db.content_store("mine", NEW)
        assert await store.rebuild_pstate() == 200
        await is_fold(store, 2)
        await (await db.content_store("mine", OLD)).rebuild_pstate()
        await is_fold(store, 1)


async def test_temporary_files_go_on_every_way_out(db):
    small_pages(db, 30, memory=0)
    await filled(db)
    store = await db.content_store("mine", NEW)

    def stop(progress):
        assert len(open_spills()) > 0
        raise ZeroDivisionError

    await store.rebuild_pstate()
    with pytest.raises(FoldError):
        await (await db.content_store("mine", failing(100))).rebuild_pstate()
    with pytest.raises(ZeroDivisionError):
        await store.rebuild_pstate(progress=stop)
    running = asyncio.create_task(store.rebuild_pstate())
    await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert open_spills() == []


def open_spills():
    """Temporary files are connections to SQLite databases without a name."""
    import sqlite3

    found = []
    for each in gc.get_objects():
        if isinstance(each, sqlite3.Connection):
            with suppress(sqlite3.ProgrammingError):
                if each.execute(
                    "SELECT count(*) FROM sqlite_master WHERE name = 'spilled'"
                ).fetchone()[0]:
                    found.append(each)
    return found
