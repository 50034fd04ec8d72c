"""A view of a branch: the same database, connections and all, and other spaces."""

import pytest

from ramax.errors import BranchNotFoundError, SpaceNotFoundError


async def test_a_view_shares_everything_but_which_spaces_there_are(db):
    await db.content_store("acme")
    await db.branches.create("empty")
    view = db.at_branch("empty")
    assert [s.space_name for s in await view.spaces.list_all()] == ["default"]
    own = await view.content_store("acme")
    assert (await db.spaces.get("acme")).space_id != own.space.space_id
    assert view._core.backend is db._core.backend
    assert view._core.root is db._core


async def test_a_view_of_a_view_and_back_is_of_the_database(db):
    await db.content_store("acme")
    await db.branches.create("empty")
    back = db.at_branch("empty").at_branch("main")
    assert await back.spaces.get("acme") == await db.spaces.get("acme")


async def test_a_branch_that_does_not_exist_is_said_by_the_first_call(db):
    view = db.at_branch("nowhere")
    for call in (view.spaces.list_all(), view.content_store("acme"), view.spaces.stats()):
        with pytest.raises(BranchNotFoundError, match="nowhere"):
            await call
    await db.branches.create("nowhere")
    await view.content_store("acme")


async def test_closing_a_view_leaves_the_database_open(db):
    await db.branches.create("empty")
    view = db.at_branch("empty")
    await view.close()
    await (await db.content_store("acme")).kv.put("k", 1)
    await (await view.content_store("acme")).kv.put("k", 2)


async def test_each_branch_has_a_default_of_its_own(db):
    await (await db.content_store()).kv.put("k", "main")
    await db.branches.fork("main", "fork")
    await db.branches.create("empty")
    fork = await db.at_branch("fork").content_store()
    empty = await db.at_branch("empty").content_store()
    assert [await s.kv.get("k") for s in (fork, empty)] == ["main", None]
    await fork.kv.put("k", "fork")
    await empty.kv.put("k", "empty")
    assert await (await db.content_store()).kv.get("k") == "main"
    assert len({s.space.space_id for s in (fork, empty)} - {0}) <= 2


async def test_a_transaction_is_of_one_branch(db):
    acme = await db.content_store("acme")
    await acme.kv.put("k", 1)
    await db.branches.fork("main", "fork")
    view = db.at_branch("fork")
    async with view.transaction("acme") as tx:
        await tx.kv.put("k", 2)
        with pytest.raises(SpaceNotFoundError):
            await tx.at(acme.space).pstate.get("k")
    assert await acme.kv.get("k") == 1
    assert await (await view.content_store("acme")).kv.get("k") == 2
