"""What this process remembers of spaces, and that it never remembers what is over."""

import asyncio

import pytest

import ramax
from ramax.core.guard import Guard
from ramax.errors import KeyNotFoundError, SpaceNotFoundError
from ramax.runtime.cache import StateCache
from ramax.runtime.pstate_repository import PStateRepository
from tests._counting import counted
from tests._domains import add, counter, documents, put
from tests._gates import held_back


def guard(sequence, version=0):
    return Guard(sequence, version, 0, sequence, None)


# -- reads from memory ---------------------------------------------------------------------------


@pytest.fixture(params=["file", "memory", "postgres"])
def exclusive_url(request):
    names = {"file": "sqlite_url", "memory": "memory_url", "postgres": "postgres_url"}
    return request.getfixturevalue(names[request.param])


async def test_an_exclusive_database_reads_from_memory(exclusive_url):
    async with ramax.connect(exclusive_url, cache="exclusive") as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        assert await store.pstate.fetch("n") == 1
        async with counted(db) as calls:
            assert await store.pstate.fetch("n") == 1
            assert await store.pstate.get_many(["n"]) == {"n": 1}
        assert calls.texts == []
        await store.execute(add)
        async with counted(db) as calls:
            assert await store.pstate.fetch("n") == 2
        assert calls.texts == []


async def test_a_database_in_memory_is_always_exclusive():
    async with ramax.connect() as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        async with counted(db) as calls:
            assert await store.pstate.fetch("n") == 1
        assert calls.texts == []


async def test_a_shared_database_looks_every_time(durable_db):
    store = await durable_db.content_store("acme", counter())
    await store.execute(add)
    async with counted(durable_db) as calls:
        assert await store.pstate.fetch("n") == 1
    assert calls.statements > 0


async def test_a_key_known_to_be_absent_is_not_looked_for_again(exclusive_url):
    async with ramax.connect(exclusive_url, cache="exclusive") as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        assert await store.pstate.get("nobody") is None
        async with counted(db) as calls:
            assert await store.pstate.get("nobody", 5) == 5
            with pytest.raises(KeyNotFoundError):
                await store.pstate.fetch("nobody")
        assert calls.texts == []


async def test_everything_that_changes_state_shows_in_exclusive_reads(exclusive_url):
    async with ramax.connect(exclusive_url, cache="exclusive") as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        assert await store.pstate.fetch("n") == 1
        await store.pstate.put("cfg", 1)
        assert await store.pstate.fetch("cfg") == 1
        await store.pstate.put("cfg", 2)
        assert await store.pstate.fetch("cfg") == 2
        await db.pstate.delete("acme", "cfg")
        assert await store.pstate.get("cfg") is None
        await store.pstate.put("cfg", 3)
        await store.rebuild_pstate()
        assert await store.pstate.get("cfg") is None
        async with store.transaction() as tx:
            await tx.execute(add)
        assert await store.pstate.fetch("n") == 2
        await store.events.append("n", "added", {"by": 5})
        assert await store.pstate.fetch("n") == 7
        await db.spaces.delete("acme", force=True)
        with pytest.raises(SpaceNotFoundError):
            await store.pstate.get("n")


# -- answers that come late ----------------------------------------------------------------------


async def reopened(url):
    """A database whose memory is cold, with a counter at 1 and a put key."""
    async with ramax.connect(url) as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        await store.pstate.put("cfg", "old")
    return ramax.connect(url, cache="exclusive")


def db_pstate(store):
    """The repository: a delete through the store would wait for the read that is held back."""
    return PStateRepository(store._core)


CHANGES = {
    "command": (lambda store: store.execute(add), "n", 2),
    "put": (lambda store: store.pstate.put("cfg", "new"), "cfg", "new"),
    "delete key": (lambda store: db_pstate(store).delete("acme", "cfg"), "cfg", None),
    "rebuild": (lambda store: store.rebuild_pstate(), "cfg", None),
    "append": (lambda store: store.events.append("n", "added", {"by": 4}), "n", 5),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_late_answer_does_not_bring_old_state_back(durable_url, change):
    verb, key, expected = CHANGES[change]
    async with await reopened(durable_url) as db:
        store = await db.content_store("acme", counter())
        async with held_back(db, "read") as gate:
            slow = asyncio.create_task(store.pstate.get_many(["n", "cfg"]))
            await gate.reached.wait()  # it has read the old state …
            await verb(store)  # … which is replaced …
        assert await slow == {"n": 1, "cfg": "old"}  # … before the reader gets it
        assert await store.pstate.get(key) == expected


async def test_a_late_answer_does_not_bring_a_deleted_space_back(durable_url):
    async with await reopened(durable_url) as db:
        store = await db.content_store("acme", counter())
        async with held_back(db, "read") as gate:
            slow = asyncio.create_task(store.pstate.get("n"))
            await gate.reached.wait()
            await db.spaces.delete(store.space, force=True)
        assert await slow == 1
        with pytest.raises(SpaceNotFoundError):
            await store.pstate.get("n")


async def test_a_late_commit_does_not_hide_a_put_that_followed_it(postgres_url):
    """On PostgreSQL a put has a connection of its own, and may be answered first."""
    async with await reopened(postgres_url) as db:
        store = await db.content_store("acme", counter())
        assert await store.pstate.get_many(["n", "cfg"]) == {"n": 1, "cfg": "old"}
        async with held_back(db, "batch") as gate:
            slow = asyncio.create_task(store.execute(add))
            await gate.reached.wait()
            await store.pstate.put("cfg", "new")
        await slow
        assert await store.pstate.get_many(["n", "cfg"]) == {"n": 2, "cfg": "new"}


# -- the cache itself ----------------------------------------------------------------------------


def seen(cache, space_id):
    known = cache.known(space_id)
    return None if known is None else (known.guard, known.values)


def observe(cache, space_id, at, values):
    cache.observe(space_id, "x", at, values, cache.tick(space_id))


def test_values_count_only_at_the_guard_they_were_read_with():
    cache = StateCache(10_000)
    observe(cache, 1, guard(1), {"k": b"1"})
    observe(cache, 1, guard(1), {"l": None})
    assert seen(cache, 1) == (guard(1), {"k": b"1", "l": None})
    observe(cache, 1, guard(2), {})
    assert seen(cache, 1) == (guard(2), {})
    observe(cache, 1, guard(2), {"k": b"2"})
    observe(cache, 1, guard(2, version=1), {})
    assert seen(cache, 1) == (guard(2, version=1), {})


def test_a_commit_keeps_what_it_was_decided_on_and_adds_what_it_wrote():
    cache = StateCache(10_000)
    observe(cache, 1, guard(1), {"k": b"1", "l": b"2"})
    cache.commit(1, "x", guard(1), guard(2), {"k": b"3"}, cache.tick(1))
    assert seen(cache, 1) == (guard(2), {"k": b"3", "l": b"2"})
    cache.commit(1, "x", guard(7), guard(8), {"m": b"4"}, cache.tick(1))  # on what is not known
    assert seen(cache, 1) == (guard(8), {"m": b"4"})


def test_what_was_known_when_a_batch_began_counts_only_while_it_is_what_is_known():
    cache = StateCache(10_000)
    observe(cache, 1, guard(1), {"k": b"1"})
    old = cache.known(1)
    cache.commit(1, "x", guard(1), guard(2), {"l": b"2"}, cache.tick(1), old)
    assert seen(cache, 1) == (guard(2), {"k": b"1", "l": b"2"})
    observe(cache, 1, guard(5), {"m": b"5"})  # starts afresh
    cache.commit(1, "x", guard(5), guard(6), {"n": b"6"}, cache.tick(1), old)
    assert seen(cache, 1) == (guard(6), {"m": b"5", "n": b"6"})
    now = cache.known(1)
    assert now is not None and cache.bytes_used == now.size


def test_what_began_before_a_write_is_not_kept_after_it():
    cache = StateCache(10_000)
    before = cache.tick(1)
    cache.commit(1, "x", guard(0), guard(1), {"k": b"1"}, before)
    cache.observe(1, "x", guard(0), {"k": None}, before)
    assert seen(cache, 1) == (guard(1), {"k": b"1"})
    before = cache.tick(1)
    cache.forget(1)
    cache.observe(1, "x", guard(1), {"k": b"1"}, before)
    assert seen(cache, 1) is None
    before = cache.tick(1)
    cache.forget(1)
    cache.commit(1, "x", guard(1), guard(2), {"k": b"2"}, before)
    assert seen(cache, 1) is None


def test_nothing_is_kept_of_a_space_that_another_connection_writes_to():
    cache = StateCache(10_000)
    observe(cache, 1, guard(1), {"k": b"1"})
    writing = [True]
    cache.leave(1, lambda: writing[0])
    assert seen(cache, 1) is None
    before = cache.tick(1)
    observe(cache, 1, guard(1), {"k": b"1"})
    assert seen(cache, 1) is None
    writing.clear()
    writing.append(False)
    cache.observe(1, "x", guard(1), {"k": b"1"}, before)  # read while it was being written
    assert seen(cache, 1) is None
    observe(cache, 1, guard(2), {"k": b"2"})
    assert seen(cache, 1) == (guard(2), {"k": b"2"})


def test_spaces_share_nothing():
    cache = StateCache(10_000)
    for space_id in (1, 2):
        observe(cache, space_id, guard(1), {"k": b"%d" % space_id})
    cache.forget(1)
    assert seen(cache, 1) is None
    assert seen(cache, 2) == (guard(1), {"k": b"2"})


def test_memory_is_bounded_by_bytes_over_all_spaces():
    cache = StateCache(100_000)
    for space_id in range(50):
        observe(cache, space_id, guard(1), {f"k{n}": bytes(1000) for n in range(10)})
    assert 50_000 < cache.bytes_used <= 100_000
    assert seen(cache, 0) is None
    assert seen(cache, 49) is not None
    for space_id in range(50):
        cache.forget(space_id)
    assert cache.bytes_used == 0


def test_one_space_larger_than_the_memory_is_kept_in_part():
    cache = StateCache(10_000)
    observe(cache, 1, guard(1), {f"k{n}": bytes(1000) for n in range(50)})
    found = seen(cache, 1)
    assert found is not None
    assert 0 < len(found[1]) < 50
    assert "k49" in found[1]
    assert cache.bytes_used <= 10_000


def test_no_memory_means_no_values():
    cache = StateCache(0)
    observe(cache, 1, guard(1), {"k": b"1"})
    assert seen(cache, 1) == (guard(1), {})


async def test_a_tiny_memory_changes_nothing_but_speed(exclusive_url):
    async with ramax.connect(exclusive_url, cache="exclusive", cache_bytes=0) as db:
        store = await db.content_store("acme", documents())
        for number in range(5):
            await store.execute(put, (f"k{number}", {"n": number}))
        assert await store.pstate.get_many([f"k{n}" for n in range(6)]) == {
            f"k{n}": {"n": n} for n in range(5)
        }
