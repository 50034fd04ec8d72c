"""Rows of branches, and the spaces that a fork makes of those of another branch."""

import asyncio

import pytest

from ramax.errors import BranchNotFoundError
from ramax.storage import branches


async def test_a_branch_is_made_once_found_renamed_and_removed(db):
    def work(ex):
        made = branches.create(ex, "one", branches.find_kept(ex, "main"), 5)
        assert made is not None
        assert branches.create(ex, "one", None, 6) is None
        assert branches.find(ex, "one") == made
        branches.rename(ex, made.branch_id, "two")
        names = [each.name for each in branches.list_all(ex)]
        branches.remove(ex, made.branch_id)
        return made, names, branches.find(ex, "two")

    made, names, left = await db._core.locked("test", work)
    assert (made.name, made.parent, names, left) == ("one", "main", ["main", "two"], None)


async def test_a_branch_that_is_gone_is_kept_and_locked_by_nobody(db):
    with pytest.raises(BranchNotFoundError, match="gone"):
        await db._core.locked("test", lambda ex: branches.find_kept(ex, "gone"))
    for verb in (branches.keep, branches.take_lock):
        with pytest.raises(BranchNotFoundError, match="gone"):
            await db._core.locked("test", lambda ex, verb=verb: verb(ex, 99, "gone"))


async def test_an_inherited_event_is_seen_on_every_branch_that_has_it_and_on_no_other(db):
    store = await db.content_store("a")
    for number in range(3):
        await store.kv.put("k", number)
    ids = {}
    for source, name, at in (("main", "x", 2), ("x", "y", 1)):
        made = await db.branches.fork(source, name, at={"a": at})
        space = await db.at_branch(name).spaces.get("a")
        ids[name] = made.branch_id, space.space_id

    def seen(ex):
        return {
            name: [branches.seen_on(ex, branch, store.space.space_id, n) for n in (1, 2, 3)]
            for name, (branch, _) in ids.items()
        }

    x, y = ids["x"][1], ids["y"][1]
    assert await db._core.read(seen) == {"x": [x, x, None], "y": [y, None, None]}


async def test_two_forks_of_one_name_at_once_make_one(db):
    await (await db.content_store("a")).kv.put("k", 1)
    done = await asyncio.gather(
        *(db.branches.fork("main", "same") for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(each, Exception) for each in done) == 3
    assert [s.space_name for s in await db.at_branch("same").spaces.list_all()] == ["default", "a"]
