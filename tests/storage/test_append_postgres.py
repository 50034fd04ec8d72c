import pytest

import ramax
from ramax.storage.executors import CoreExecutor
from ramax.storage.locks import take_lock
from ramax.storage.reads import read_facts
from tests._plans import NEW, appended, plan, write
from tests._tables import dump

pytestmark = pytest.mark.postgres


async def test_a_space_that_somebody_holds_is_skipped_and_the_others_are_written(postgres_url):
    async with ramax.connect(postgres_url) as db, db.engine.connect() as other:
        held, free = await db.spaces.create("held"), await db.spaces.create("free")
        tables = db._core.backend.tables
        await other.run_sync(lambda c: take_lock(CoreExecutor(c, tables), held.space_id, "held"))
        wanted = plan(appended(held.space_id, 2), appended(free.space_id, 1))
        done = await write(db, wanted)
        assert {s: dict(w) for s, w in done.items()} == {free.space_id: {1: 1}}
        assert await write(db, plan(appended(held.space_id))) == {}
        await other.rollback()
        later = await write(db, plan(appended(held.space_id, 2)))
        assert dict(later[held.space_id]) == {1: 2, 2: 3}


@pytest.mark.parametrize("alone", [True, False])
async def test_a_lost_guard_writes_nothing(db_on_postgres, alone):
    db = db_on_postgres
    lost, kept = await db.spaces.create("lost"), await db.spaces.create("kept")
    before = await dump(db)
    stale = NEW._replace(state_version=1)
    losing = appended(lost.space_id, 3, stale, puts={"k": b"\x01"}, deletes=["d"], checkpoint=3)
    others = () if alone else (appended(kept.space_id),)
    done = await write(db, plan(losing, *others))
    assert {s: dict(w) for s, w in done.items()} == ({} if alone else {kept.space_id: {1: 1}})
    rows = await dump(db)
    assert not [
        r
        for each in ("events", "pstate_entities")
        for r in rows[each]
        if r["space_id"] == lost.space_id
    ]
    if alone:
        assert rows == before


async def test_ids_follow_the_sequences_space_by_space(db_on_postgres):
    db = db_on_postgres
    ids = [(await db.spaces.create(name)).space_id for name in ("a", "b", "c")]
    done = await write(db, plan(*(appended(space_id, 2) for space_id in reversed(ids))))
    found = [done[s][sequence] for s in ids for sequence in (1, 2)]
    assert found == [1, 2, 3, 4, 5, 6]


async def test_a_write_without_events_is_told_from_one_that_lost(db_on_postgres):
    db = db_on_postgres
    space = await db.spaces.create("s")
    done = await write(db, plan(appended(space.space_id, 0, puts={"k": b"\x01"})))
    assert {s: dict(w) for s, w in done.items()} == {space.space_id: {}}
    facts = await db._core.read(lambda ex: read_facts(ex, {space.space_id: ["k"]}))
    assert facts[space.space_id].values == {"k": b"\x01"}
