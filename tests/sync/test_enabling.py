import asyncio

import pytest

from ramax import NewEvent
from ramax.errors import DataError, MisuseError
from ramax.storage import runs, snapshots


async def test_an_id_of_the_space_is_taken_once_and_for_all(db):
    store = await db.content_store("notes")
    with pytest.raises(DataError, match="space uid"):
        await store.replica.enable(b"short")
    info = await store.replica.enable(b"space-uid-of-one")
    assert info.space_uid == b"space-uid-of-one"
    assert (await store.replica.enable()).space_uid == info.space_uid
    with pytest.raises(MisuseError, match="cannot become"):
        await store.replica.enable(b"space-uid-of-two")


async def test_values_that_no_event_wrote_cannot_be_replicated(db):
    store = await db.content_store("notes")
    await store.pstate.put("direct", 1)
    with pytest.raises(MisuseError, match="direct"):
        await store.replica.enable()
    await store.pstate.delete("direct")
    await store.replica.enable()
    with pytest.raises(MisuseError, match="replicated"):
        await store.pstate.put("direct", 1)


async def test_a_fork_cannot_be_replicated(db):
    store = await db.content_store("notes")
    await store.kv.put("a", 1)
    await db.branches.fork(name="other")
    fork = await db.at_branch("other").content_store("notes")
    with pytest.raises(MisuseError, match="forked"):
        await fork.replica.enable()


async def test_writers_go_on_while_a_long_history_is_marked(db):
    store = await db.content_store("notes")
    seen = [NewEvent("seen", {"n": n}, entity_id="e") for n in range(4_500)]
    await store.events.append_many(seen)

    async def write():
        for n in range(40):
            await store.kv.put(f"k{n}", n)

    info, _ = await asyncio.gather(store.replica.enable(), write())
    found = [r async for page in store.replica.read({}) for r in page]
    assert [r.origin_seq for r in found] == list(range(1, 4_541))
    stamps = [r.stamp for r in found]
    assert stamps == sorted(set(stamps))
    assert info.origin == found[0].origin


async def test_an_attempt_that_broke_off_leaves_nothing_behind(db, monkeypatch):
    store = await db.content_store("notes")
    await store.kv.put("a", 1)

    def fail(ex, space_id):
        raise RuntimeError("the process ends here")

    async def rows():
        return await store._core.read(
            lambda ex: runs.read_runs(ex, store.space.space_id, after=0, upto=99)
        )

    with monkeypatch.context() as broken:
        broken.setattr(snapshots, "drop", fail)  # in the midst of what `enable` writes
        with pytest.raises(RuntimeError, match="ends here"):
            await store.replica.enable(b"space-uid-of-one")
    assert await rows() == []
    assert not await store.replica.enabled()
    await store.kv.put("b", 2)
    info = await store.replica.enable(b"space-uid-of-one")
    await store.kv.put("c", 3)
    assert (await store.replica.info()).vector == {info.origin: 3}
    assert len(await rows()) == 3  # the first, which counts as late, then a run, then what is new
    assert await store.kv.get_many(["a", "b", "c"]) == {"a": 1, "b": 2, "c": 3}
