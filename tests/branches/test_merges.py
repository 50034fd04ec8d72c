"""Merging branches: in any direction, once, all spaces or none, and nothing overwritten."""

import asyncio

import pytest

import ramax
from ramax import NewEvent
from ramax.errors import (
    BranchNotFoundError,
    DataError,
    FoldError,
    MergeConflictError,
    MisuseError,
)
from tests._domains import documents, put
from tests._orders import add, create_tables, rows_of, shop

DOCUMENTS = documents()
DOMAINS = {"a": DOCUMENTS, "b": DOCUMENTS}


async def store(db, branch, name="a"):
    view = db if branch == "main" else db.at_branch(branch)
    return await view.content_store(name, DOCUMENTS)


async def set_(db, branch, key, value, space="a"):
    await (await store(db, branch, space)).execute(put, [key, {"v": value}])


async def value(db, branch, key, space="a"):
    found = await (await store(db, branch, space)).pstate.get(key)
    return found and found["v"]


async def history(db, branch, space="a"):
    return [
        (e.entity_id, e.payload["v"])
        async for e in (await store(db, branch, space)).events.stream()
    ]


@pytest.fixture
async def forked(db):
    for key in ("x", "y"):
        await set_(db, "main", key, 0)
    await db.branches.fork("main", "test")
    return db


async def test_what_the_fork_did_comes_after_what_main_did(forked):
    db = forked
    await set_(db, "test", "x", 1)
    await set_(db, "main", "y", 2)
    done = await db.branches.merge("test", domains=DOMAINS)
    assert [(s.space, s.copied, s.space_sequence) for s in done.spaces] == [("a", 1, 4)]
    assert await history(db, "main") == [("x", 0), ("y", 0), ("y", 2), ("x", 1)]
    assert [await value(db, "main", key) for key in "xy"] == [1, 2]
    assert (await (await store(db, "main")).verify()).findings == ()
    assert not (await db.branches.merge("test")).changed
    original = (await (await store(db, "test")).events.get_events("x"))[-1]
    copy = (await (await store(db, "main")).events.get_events("x"))[-1]
    assert copy.causation_id == original.event_id


async def test_rebase_and_merge_back_leave_both_the_same(forked):
    db = forked
    await set_(db, "test", "x", 1)
    await set_(db, "main", "y", 2)
    assert (await db.branches.rebase("test", domains=DOMAINS)).spaces[0].copied == 1
    assert [await value(db, "test", key) for key in "xy"] == [1, 2]
    assert not (await db.branches.rebase("test")).changed
    assert (await db.branches.merge("test", domains=DOMAINS)).spaces[0].copied == 1
    assert [await value(db, "main", key) for key in "xy"] == [1, 2]
    assert not (await db.branches.rebase("test")).changed
    assert not (await db.branches.merge("test")).changed


async def test_both_sides_of_a_conflict_are_told_and_nothing_is_written(forked):
    db = forked
    await set_(db, "main", "k", 0, "b")
    await db.branches.fork("main", "two")
    for branch in ("two", "main"):
        await set_(db, branch, "k", branch, "b")
    await set_(db, "two", "y", 1)
    preview = await db.branches.preview_merge("two")
    assert [str(c) for c in preview.conflicts] == ["entity 'k' of space 'b'"]
    assert [(s.space, s.copied) for s in preview.spaces] == [("a", 1), ("b", 0)]
    with pytest.raises(MergeConflictError, match="entity 'k' of space 'b'"):
        await db.branches.merge("two", domains=DOMAINS)
    assert await value(db, "main", "y") == 0


@pytest.mark.parametrize(("policy", "expected"), [("ours", "main"), ("theirs", "test")])
async def test_a_conflict_that_was_ended_does_not_come_again(forked, policy, expected):
    db = forked
    for branch in ("test", "main"):
        await set_(db, branch, "x", branch)
    await db.branches.merge("test", on_conflict=policy, domains=DOMAINS)
    assert await value(db, "main", "x") == expected
    assert ("x", "main") in await history(db, "main")
    assert not (await db.branches.merge("test")).changed
    await set_(db, "test", "y", 3)
    assert (await db.branches.merge("test", domains=DOMAINS)).spaces[0].copied == 1


async def test_a_function_ends_conflicts_by_events_of_its_own(forked):
    db = forked
    for branch in ("test", "main"):
        await set_(db, branch, "x", branch)

    def both(conflict):
        return [NewEvent("doc.put", {"v": "both"}, entity_id=conflict.name)]

    done = await db.branches.merge("test", on_conflict=both, domains=DOMAINS)
    assert (done.spaces[0].copied, done.spaces[0].made) == (0, 1)
    assert await value(db, "main", "x") == "both"
    assert not (await db.branches.merge("test")).changed
    await db.branches.rebase("test", domains=DOMAINS)
    assert await value(db, "test", "x") == "both"
    assert not (await db.branches.merge("test")).changed


async def test_siblings_and_grandchildren_merge(forked):
    db = forked
    await db.branches.fork("main", "sibling")
    await set_(db, "test", "x", 1)
    await db.branches.fork("test", "deep")
    await set_(db, "deep", "y", 2)
    await db.branches.merge("deep", "main", domains=DOMAINS)
    assert [await value(db, "main", key) for key in "xy"] == [1, 2]
    await db.branches.merge("test", "sibling", domains=DOMAINS)
    assert [await value(db, "sibling", key) for key in "xy"] == [1, 0]
    assert not (await db.branches.merge("test", "main")).changed
    await db.branches.merge("main", "sibling", domains=DOMAINS)
    assert [await value(db, "sibling", key) for key in "xy"] == [1, 2]
    assert await history(db, "sibling") == [("x", 0), ("y", 0), ("x", 1), ("y", 2)]
    await db.branches.merge("sibling", "test", domains=DOMAINS)
    assert await value(db, "test", "y") == 2
    assert not (await db.branches.merge("sibling", "deep")).changed


async def test_a_space_that_only_the_source_has_is_made_and_none_is_deleted(forked):
    db = forked
    await set_(db, "test", "n", 1, "b")
    await set_(db, "main", "only", 1, "kept")
    done = await db.branches.merge("test", domains=DOMAINS)
    assert done.created == ("b",)
    assert await value(db, "main", "n", "b") == 1
    assert await value(db, "main", "only", "kept") == 1
    assert not (await db.branches.merge("test")).changed
    await set_(db, "test", "n", 2, "b")
    await db.branches.merge("test", domains=DOMAINS)
    assert await history(db, "main", "b") == [("n", 1), ("n", 2)]


async def test_a_renamed_space_is_still_itself(forked):
    db = forked
    await db.at_branch("test").spaces.rename("a", "b")
    await set_(db, "test", "x", 1, "b")
    await db.branches.merge("test", domains=DOMAINS)
    assert await value(db, "main", "x") == 1
    assert not await db.spaces.exists("b")


async def test_documents_merge_by_path(db):
    main = await db.content_store("a")
    await main.json.set("d", {"a": 1, "b": {"c": 1}})
    await db.branches.fork("main", "test")
    fork = await db.at_branch("test").content_store("a")
    await fork.json.set("d", 2, path="$.a")
    await main.json.set("d", 2, path="$.b.c")
    await fork.log.append("noted", {"on": "fork"})
    await main.log.append("noted", {"on": "main"})
    await db.branches.merge("test")
    assert await main.json.get("d") == {"a": 2, "b": {"c": 2}}
    assert [e.payload["on"] for e in await main.log.range(1)] == ["main", "fork"]
    await db.branches.rebase("test")
    assert await fork.json.get("d") == {"a": 2, "b": {"c": 2}}
    for each in (main, fork):
        assert (await each.verify()).findings == ()


async def test_a_fork_made_before_a_decision_asks_again(forked):
    db = forked
    for branch in ("test", "main"):
        await set_(db, branch, "x", branch)
    await db.branches.fork("main", "before")
    await db.branches.merge("test", on_conflict="ours")
    await db.branches.fork("main", "after")
    with pytest.raises(MergeConflictError):
        await db.branches.merge("test", "before")
    await set_(db, "main", "y", 5)
    await db.branches.fork("main", "later")
    assert not (await db.branches.merge("test", "later")).changed


async def test_a_space_that_cannot_be_folded_leaves_all_as_they_were(forked):
    db = forked
    await set_(db, "test", "x", 1)
    fork = await store(db, "test", "b")
    await fork.events.append("x", "doc.deleted", {})
    with pytest.raises(FoldError):
        await db.branches.merge("test", domains=DOMAINS)
    assert await history(db, "main") == [("x", 0), ("y", 0)]
    assert not await db.spaces.exists("b")


async def test_bad_input_is_named(forked):
    db = forked
    with pytest.raises(MisuseError, match="itself"):
        await db.branches.merge("main")
    with pytest.raises(BranchNotFoundError):
        await db.branches.merge("nowhere")
    with pytest.raises(BranchNotFoundError):
        await db.branches.rebase("nowhere")
    with pytest.raises(MisuseError, match="was not forked"):
        await db.branches.rebase("main")
    with pytest.raises(DataError, match="domains"):
        await db.branches.merge("test", domains=[DOCUMENTS])
    with pytest.raises(DataError, match="on_conflict"):
        await db.branches.merge("test", on_conflict="both")


async def test_writers_of_both_branches_lose_nothing(forked):
    db = forked

    async def write(branch):
        for n in range(15):
            await set_(db, branch, f"{branch}:{n % 3}", n)

    async def merge():
        for _ in range(5):
            await db.branches.merge("test", domains=DOMAINS)
            await db.branches.rebase("test", domains=DOMAINS)

    await asyncio.gather(write("main"), write("test"), merge())
    await db.branches.merge("test", domains=DOMAINS)
    await db.branches.rebase("test", domains=DOMAINS)
    for branch in ("main", "test"):
        events = await history(db, branch)
        assert len(events) == len(set(events)) == 32
        for writer in ("main", "test"):
            mine = [v for entity, v in events if entity.startswith(f"{writer}:")]
            assert mine == list(range(15))
        assert (await (await store(db, branch)).verify()).findings == ()


async def test_a_fork_that_nobody_used_has_what_it_was_rebased_onto(db):
    main = await db.content_store("plain")
    await main.kv.put("k", 0)
    await db.branches.fork("main", "test")
    await main.kv.put("k2", 1)
    await db.branches.rebase("test")
    fork = await db.at_branch("test").content_store("plain")
    assert [await fork.kv.get(key) for key in ("k", "k2")] == [0, 1]
    assert await fork.get_checkpoint() == 2


async def test_a_fork_that_is_merged_into_before_it_is_used_is_folded_when_it_is(forked):
    db = forked
    await set_(db, "main", "x", 1)
    await (await store(db, "main")).kv.put("k", 1)
    await db.branches.rebase("test")
    assert [await value(db, "test", key) for key in "xy"] == [1, 0]
    assert await (await store(db, "test")).kv.get("k") == 1
    assert (await (await store(db, "test")).verify()).findings == ()


async def test_a_fork_that_nobody_used_has_what_a_sibling_gave_it(db):
    main = await db.content_store("plain")
    await main.kv.put("k", 0)
    for name in ("one", "two"):
        await db.branches.fork("main", name)
    await (await db.at_branch("one").content_store("plain")).kv.put("k2", 1)
    await db.branches.merge("one", "two")
    fork = await db.at_branch("two").content_store("plain")
    assert [await fork.kv.get(key) for key in ("k", "k2")] == [0, 1]


async def test_inline_projections_come_along_in_the_same_transaction(db):
    await create_tables(db)
    domain = shop()
    main = await db.content_store("shop", domain)
    await main.execute(add, ("placed", ["1"]))
    await db.branches.fork("main", "test")
    fork = await db.at_branch("test").content_store("shop", domain)
    await fork.execute(add, ("paid", ["1"]))
    await fork.execute(add, ("placed", ["2"]))
    await db.branches.merge("test", domains={"shop": domain})
    assert await rows_of(db, main) == [("1", "paid", 2), ("2", "placed", 1)]
    assert await main.get_checkpoint("search") == 3


async def test_whoever_follows_the_target_gets_the_copies(forked):
    db = forked
    await set_(db, "test", "x", 7)
    main = await store(db, "main")
    async with main.subscribe("reader", start="now") as s:
        await db.branches.merge("test", domains=DOMAINS)
        event = await asyncio.wait_for(anext(s), 30)
        assert (event.entity_id, event.payload) == ("x", {"v": 7})


async def test_another_process_that_writes_to_both_sides_loses_nothing(durable_url):
    async with ramax.connect(durable_url) as db, ramax.connect(durable_url) as other:
        await set_(db, "main", "x", -1)
        await db.branches.fork("main", "test")

        async def write(branch):
            for n in range(12):
                await set_(other, branch, f"{branch}:{n % 3}", n)

        async def merge():
            for _ in range(4):
                await db.branches.merge("test", domains=DOMAINS)
                await db.branches.rebase("test", domains=DOMAINS)

        await asyncio.gather(write("main"), write("test"), merge())
        await db.branches.merge("test", domains=DOMAINS)
        await db.branches.rebase("test", domains=DOMAINS)
        for branch in ("main", "test"):
            for database in (db, other):
                events = await history(database, branch)
                assert len(events) == len(set(events)) == 25
                assert (await value(database, branch, "main:2")) == 11
                assert (await value(database, branch, "test:2")) == 11


async def test_two_merges_at_once_take_everything_over_once(durable_url):
    async with ramax.connect(durable_url) as db, ramax.connect(durable_url) as other:
        await set_(db, "main", "x", 0)
        await db.branches.fork("main", "test")
        await set_(db, "test", "x", 1)
        await set_(db, "main", "y", 1)
        await asyncio.gather(
            db.branches.merge("test", domains=DOMAINS),
            other.branches.rebase("test", domains=DOMAINS),
            other.branches.merge("test", domains=DOMAINS),
        )
        assert await history(db, "main") == [("x", 0), ("y", 1), ("x", 1)]
        assert await history(db, "test") == [("x", 0), ("x", 1), ("y", 1)]


async def test_default_is_merged_also_where_it_has_no_row_yet(db):
    await db.branches.fork("main", "test")
    fork = await db.at_branch("test").content_store()
    await fork.kv.put("k", 1)
    assert (await db.branches.merge("test")).created == ("default",)
    main = await db.content_store()
    assert await main.kv.get("k") == 1
    await main.kv.put("k", 2)
    await db.branches.rebase("test")
    assert await fork.kv.get("k") == 2


async def test_a_branch_that_was_merged_can_be_deleted_and_leaves_what_it_gave(forked):
    db = forked
    await set_(db, "test", "x", 1)
    await db.branches.merge("test", domains=DOMAINS)
    await db.branches.delete("test")
    assert await value(db, "main", "x") == 1
    await db.branches.fork("main", "test")
    assert await value(db, "test", "x") == 1
    assert not (await db.branches.merge("test")).changed
