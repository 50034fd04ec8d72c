from ramax.storage.quarantine import listed, read_discarded, records, settle
from ramax.testing.records import record

ANNE, BOB = b"a" * 16, b"b" * 16


async def test_what_a_space_keeps_is_its_own_and_comes_back_as_it_was(db):
    mine, theirs = [await db.spaces.create(name) for name in ("mine", "theirs")]

    async def put(space, *given):
        rows = [(each, "sync.unsound", f"no {each.origin_seq}") for each in given]
        await db._core.locked("test", lambda ex: settle(ex, space.space_id, rows, 7))

    async def read(space):
        return await db._core.read(lambda ex: listed(ex, space.space_id))

    damaged = record(BOB, 1)._replace(entity_id="other")
    await put(mine, record(ANNE, 1), record(ANNE, 2), damaged)
    await put(theirs, record(ANNE, 1))
    found = await read(mine)
    assert [(each.origin, each.origin_seq, each.reason) for each in found] == [
        (ANNE, 1, "no 1"),
        (ANNE, 2, "no 2"),
        (BOB, 1, "no 1"),
    ]
    assert {each.refused_at for each in found} == {7}
    assert len(await read(theirs)) == 1
    kept = await db._core.read(lambda ex: records(ex, mine.space_id, BOB))
    assert kept == [damaged]
    await put(mine, record(BOB, 1, "another"))  # the first one of a place stays
    assert await db._core.read(lambda ex: records(ex, mine.space_id, BOB)) == [damaged]
    assert (
        await db._core.read(lambda ex: read_discarded(ex, mine.space_id, [damaged.uid]))
        == frozenset()
    )
