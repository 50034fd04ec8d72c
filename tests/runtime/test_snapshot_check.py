import pytest

from ramax import Domain
from ramax.runtime.findings import Finding
from tests._domains import documents, put
from tests.runtime._damage import damage

LIES = "is not what the events make it; prune it, and change the fold_version"


@pytest.fixture
async def store(db):
    other = await db.content_store("other", documents())
    store = await db.content_store("s", documents())
    for number in range(6):
        for each in (other, store):
            await each.execute(put, (f"d{number % 4}", {"n": number}))
    for each in (other, store):
        await each.snapshots.take(3)
        await each.snapshots.take(5)
    return store


async def test_snapshots_that_are_right_are_sound(store):
    assert (await store.verify()).findings == ()


async def test_code_that_changed_without_its_version_is_found(db, store):
    changed = Domain("documents", lambda s, e: s.__setitem__(e.entity_id, 1), fold_version=1)
    report = await (await db.content_store("s", changed)).verify()
    named = [each for each in report.findings if each.check == "snapshot"]
    assert named == [Finding("snapshot", f"the snapshot as of event {n} {LIES}") for n in (3, 5)]


@pytest.mark.parametrize("data", [b"\x90", b"\x92\xa2d0\xc4\x01\xc0", b"\x92\xa2dx\xc4\x01\xc0"])
async def test_a_damaged_snapshot_is_named(db, store, data):
    await damage(
        db,
        "UPDATE pstate_snapshot_chunks SET data = :data WHERE space_id = 2 AND space_sequence = 5",
        data=data,
    )
    report = await store.verify()
    assert report.findings == (Finding("snapshot", f"the snapshot as of event 5 {LIES}"),)
    assert [r.ok async for r in db.verify("other", documents())] == [True]


async def test_snapshots_of_another_version_are_left_alone(db, store):
    newer = Domain("documents", lambda s, e: s.__setitem__(e.entity_id, e.payload), fold_version=2)
    assert (await (await db.content_store("s", newer)).verify()).findings == ()
