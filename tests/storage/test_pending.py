from ramax.storage import pending
from ramax.storage.pending import PendingRow


async def test_commands_come_back_in_their_order_and_belong_to_their_space(db):
    mine, theirs = [await db.spaces.create(name) for name in ("mine", "theirs")]

    async def run(work):
        return await db._core.locked("test", work)

    def row(letter):
        return PendingRow(0, letter * 16, "do", letter, 7)

    def read(space):
        return run(lambda ex: pending.read_pending(ex, space.space_id))

    await run(lambda ex: pending.add(ex, mine.space_id, row(b"b")))
    await run(lambda ex: pending.add(ex, mine.space_id, row(b"a")))
    await run(lambda ex: pending.add(ex, theirs.space_id, row(b"a")))
    assert [(each.number, each.uid[:1]) for each in await read(mine)] == [(1, b"b"), (2, b"a")]
    await run(lambda ex: pending.answered(ex, mine.space_id, b"a" * 16, {b"o" * 16: 3}))
    await run(lambda ex: pending.refused(ex, mine.space_id, b"b" * 16, "no"))
    assert [(each.needs, each.error) for each in await read(mine)] == [
        (None, "no"),
        ({b"o" * 16: 3}, None),
    ]
    assert [(each.needs, each.error) for each in await read(theirs)] == [(None, None)]
    assert await run(lambda ex: pending.replace(ex, mine.space_id, b"b" * 16, row(b"c")))
    assert not await run(lambda ex: pending.replace(ex, mine.space_id, b"b" * 16, row(b"d")))
    assert (await read(mine))[0] == row(b"c")._replace(number=1)
    assert await run(lambda ex: pending.remove(ex, mine.space_id, b"a" * 16))
    assert not await run(lambda ex: pending.remove(ex, mine.space_id, b"a" * 16))
    assert [each.uid for each in await read(mine)] == [b"c" * 16]
    assert len(await read(theirs)) == 1
