"""The pstate of a fork: copied while its parent stands where it began, and never by halves."""

import pytest

from ramax.runtime.page_fold import facts_of
from ramax.storage import inherit
from ramax.storage.locks import take_lock
from tests._domains import documents, put
from tests._tables import dump, of_space


@pytest.fixture
async def forked(db):
    acme = await db.content_store("acme", documents())
    for key in ("a", "b"):
        await acme.execute(put, [key, {"of": key}])
    await db.branches.fork("main", "experiment")
    copy = await db.at_branch("experiment").content_store("acme", documents())
    return acme, copy


async def copied(db, space):
    def work(ex):
        take_lock(ex, space.space_id, space.space_name)
        return inherit.inherit(ex, space.space_id, facts_of(ex, space).guard, 1)

    return await db._core.locked("test", work)


async def state(db, space):
    rows = of_space(await dump(db), space.space_id)
    return {row["key"]: row["value"] for row in rows.get("pstate_entities", [])}


async def test_a_fork_stores_nothing_but_its_place_until_it_is_used(db, forked):
    _, copy = forked
    rows = of_space(await dump(db), copy.space.space_id)
    assert set(rows) == {"spaces", "space_sequences"}
    assert rows["space_sequences"][0]["last_sequence"] == 2


async def test_state_checkpoint_and_domains_are_those_of_the_parent(db, forked):
    acme, copy = forked
    assert await copied(db, copy.space)
    assert await state(db, copy.space) == await state(db, acme.space) != {}
    rows = of_space(await dump(db), copy.space.space_id)
    assert [r["last_space_sequence"] for r in rows["projection_checkpoints"]] == [2]
    assert not await copied(db, copy.space)  # it has one now
    assert (await copy.verify()).ok


async def test_a_parent_that_has_moved_on_is_none_to_copy_from(db, forked):
    acme, copy = forked
    await acme.execute(put, ["c", {}])
    assert not await copied(db, copy.space)
    assert await state(db, copy.space) == {}
    assert set(await copy.pstate.get_many(list("abc"))) == {"a", "b"}


async def test_a_grandparent_that_still_stands_there_will_do(db, forked):
    acme, copy = forked
    await db.branches.fork("experiment", "deeper")
    await copy.execute(put, ["c", {}])
    deeper = await db.at_branch("deeper").content_store("acme", documents())
    assert await copied(db, deeper.space)
    assert await state(db, deeper.space) == await state(db, acme.space)


async def test_a_parent_that_moves_on_meanwhile_leaves_nothing_behind(db, forked, monkeypatch):
    acme, copy = forked
    looked = []

    def moving(ex, space_id):
        looked.append(space_id)
        found = original(ex, space_id)
        if looked.count(acme.space.space_id) == 2 and space_id == acme.space.space_id:
            assert found is not None
            return found._replace(checkpoint=found.checkpoint + 1)
        return found

    original = inherit._standing
    monkeypatch.setattr(inherit, "_standing", moving)
    before = of_space(await dump(db), copy.space.space_id)
    assert not await copied(db, copy.space)
    after = of_space(await dump(db), copy.space.space_id)
    for rows in (before, after):
        del rows["space_sequences"]
    assert after == before
