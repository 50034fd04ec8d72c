"""Texts that are indexed after the commit: all of them in the end, whatever happens meanwhile."""

import asyncio

import pytest

import ramax
from ramax import ALL, DataError, SpaceNotFoundError
from ramax.core.limits import MAX_KEY_BYTES
from ramax.runtime import text_worker
from ramax.storage.text_waiting import read_waiting
from tests._reading import until
from tests.runtime.test_text_search import add, contacts, found, remove

FIELDS = {"contact:": ["name", "notes"]}


async def opened(db, name="s", **options):
    store = await db.content_store(name, contacts)
    await db.spaces.enable_search(name, fields=FIELDS, mode="async", **options)
    return store


async def waiting(db, store):
    return list(await db._core.read(lambda ex: read_waiting(ex, store.space.space_id, limit=999)))


async def test_a_text_is_found_when_it_was_indexed_and_not_before(db):
    store = await opened(db)
    await store.kv.put("k", {"drink": "green tea"})
    await store.json.set("doc", {"title": "Tea ceremony"})
    await store.log.append("note", {"text": "bought tea"})
    await store.execute(add, {"id": "contact:1", "name": "Ada", "notes": "likes tea"})
    await store.pstate.put("contact:2", {"name": "Tea"})
    await store.cells.set("not", "tea")
    assert await found(store, "tea") == []
    assert (await store.verify()).ok
    assert await db.spaces.index_texts("s") == 5
    everything = {("kv", "k"), ("json", "doc"), ("log", "1")} | {
        ("pstate", f"contact:{n}") for n in (1, 2)
    }
    assert set(await found(store, "tea")) == everything
    assert await db.spaces.index_texts("s") == 0
    await store.kv.put("k", "coffee")
    await store.kv.put("k", "milk")
    await store.execute(remove, "contact:1")
    await store.pstate.delete("contact:2")
    assert set(await found(store, "tea")) == everything
    assert (await store.verify()).ok
    assert await db.spaces.index_texts("s") == 3
    assert set(await found(store, "tea")) == {("json", "doc"), ("log", "1")}
    assert await found(store, "milk") == [("kv", "k")]
    assert (await store.verify()).ok


async def test_what_is_there_is_indexed_at_once_when_a_space_becomes_searched(db):
    store = await db.content_store("s", contacts)
    await store.kv.put("k", "word")
    await opened(db)
    assert await found(store, "word") == [("kv", "k")]
    assert await waiting(db, store) == []


async def test_what_is_rolled_back_does_not_wait(db):
    store = await opened(db)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.kv.put("k", "word")
            raise RuntimeError
    assert await waiting(db, store) == []
    async with store.transaction() as tx:
        await tx.kv.put("k", "word")
        assert await found(tx, "word") == []  # as everybody else: it is not indexed yet
    await db.spaces.index_texts("s")
    assert await found(store, "word") == [("kv", "k")]


async def test_catching_up_and_a_rebuild_leave_nothing_out(db):
    store = await opened(db)
    await store.events.append("contact:1", "contact.put", {"id": "contact:1", "name": "Ada"})
    await store.catchup_pstate()
    await db.spaces.index_texts("s")
    assert await found(store, "ada") == [("pstate", "contact:1")]
    await store.kv.put("k", "ada")
    await store.rebuild_pstate()  # which makes the index anew: nothing has to wait
    assert await waiting(db, store) == []
    assert set(await found(store, "ada")) == {("pstate", "contact:1"), ("kv", "k")}
    assert (await store.verify()).ok


async def test_another_mode_makes_the_index_anew_and_nothing_waits(db):
    store = await opened(db)
    await store.kv.put("k", "word")
    await db.spaces.enable_search("s")
    assert await waiting(db, store) == []
    assert await found(store, "word") == [("kv", "k")]
    await store.kv.put("l", "word")
    assert len(await found(store, "word")) == 2
    await opened(db)
    await store.kv.put("m", "word")
    await db.spaces.disable_search("s")
    assert await waiting(db, store) == []
    assert await db.spaces.index_texts("s") == 0


async def test_a_worker_follows_the_commits_of_all_spaces_or_of_those_named(db):
    one, other = await opened(db), await opened(db, "other")
    await one.kv.put("before", "word")
    worker = asyncio.create_task(db.run_text_index("s", poll_interval=0.02))
    await until(lambda: found(one, "word"))
    await one.kv.put("after", "word")
    await other.kv.put("k", "word")

    async def both():
        return len(await found(one, "word")) == 2

    await until(both)
    assert await found(other, "word") == []
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    worker = asyncio.create_task(db.run_text_index(poll_interval=60))
    await until(lambda: found(other, "word"))
    await other.kv.put("l", "woken")  # long before it would look
    await until(lambda: found(other, "woken"))
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert len(await db.search("word", spaces=ALL)) == 3


async def test_a_worker_ends_with_its_database(url):
    async with ramax.connect(url) as db:
        store = await opened(db)
        worker = asyncio.create_task(db.run_text_index(poll_interval=60))
        await store.kv.put("k", "word")
        await until(lambda: found(store, "word"))
    await worker


async def test_two_workers_leave_nothing_out(durable_url, monkeypatch):
    monkeypatch.setattr(text_worker, "PAGE", 7)
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as two:
        store = await opened(one)
        theirs = await two.content_store("s", contacts)
        keys = {f"k{n}": f"word number{n}" for n in range(60)}

        async def write(handle, part):
            for key in sorted(keys)[part::2]:
                await handle.kv.put(key, "to be changed")
                await handle.kv.put(key, keys[key])

        workers = [
            asyncio.create_task(each.run_text_index(poll_interval=0.01)) for each in (one, two)
        ]
        await asyncio.gather(write(store, 0), write(theirs, 1))

        async def all_indexed():
            return not await waiting(one, store)

        await until(all_indexed)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        assert {key for _, key in await found(store, "word", limit=100)} == set(keys)
        assert await found(store, "changed") == []
        assert (await store.verify()).ok


async def test_a_deleted_space_holds_no_worker_up(db):
    gone, stays = await opened(db, "gone"), await opened(db)
    await gone.kv.put("k", "word")
    await stays.kv.put("k", "word")
    with pytest.raises(SpaceNotFoundError):
        await db.run_text_index("missing")
    await db.spaces.delete("gone", force=True)
    assert await waiting(db, gone) == []
    with pytest.raises(SpaceNotFoundError):
        await db.spaces.index_texts("gone")
    worker = asyncio.create_task(db.run_text_index(poll_interval=0.02))
    await until(lambda: found(stays, "word"))
    worker.cancel()


async def test_a_value_that_cannot_be_read_is_logged_and_holds_no_other_space_up(db, caplog):
    broken, sound = await opened(db, "broken"), await opened(db)
    for store in (broken, sound):
        await store.kv.put("k", "word")
    async with db.connection() as connection, connection.begin():
        damage = "UPDATE pstate_entities SET format = 'unknown' WHERE space_id = "
        await connection.exec_driver_sql(f"{damage}{broken.space.space_id}")
    worker = asyncio.create_task(db.run_text_index(poll_interval=0.02))
    await until(lambda: found(sound, "word"))
    await until(lambda: "texts of space 'broken' were not indexed" in caplog.text)
    worker.cancel()
    with pytest.raises(DataError):
        await db.spaces.index_texts("broken")


async def test_a_branch_has_what_waits_of_its_own(db):
    await db.branches.create("other")
    view = db.at_branch("other")
    store, there = await opened(db), await opened(view)
    for each in (store, there):
        await each.kv.put("k", "word")
    worker = asyncio.create_task(view.run_text_index(poll_interval=0.02))
    await until(lambda: found(there, "word"))
    worker.cancel()
    assert await found(store, "word") == []


async def test_the_longest_key_waits_too(db):
    store = await opened(db)
    key = "contact:" + "x" * (MAX_KEY_BYTES - 8)
    await store.pstate.put(key, {"name": "word"})
    assert await db.spaces.index_texts("s") == 1
    assert await found(store, "word") == [("pstate", key)]


@pytest.mark.parametrize("mode", ["later", None, True])
async def test_a_mode_that_is_none_is_refused(db, mode):
    await db.content_store("s")
    with pytest.raises(DataError, match="mode"):
        await db.spaces.enable_search("s", mode=mode)
    with pytest.raises(DataError, match="poll_interval"):
        await db.run_text_index(poll_interval=0)
