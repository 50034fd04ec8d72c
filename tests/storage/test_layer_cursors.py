import pytest

from ramax import SpaceNotFoundError
from ramax.storage.layer_cursors import LayerCursor, forget_cursor, put_cursor, read_cursors

ONE = LayerCursor("server", {b"a" * 16: 3}, b"e" * 16, 5, 6, "gone", 1)


async def test_a_cursor_comes_back_as_it_was_last_put(db):
    mine, theirs = [await db.spaces.create(name) for name in ("mine", "theirs")]

    async def run(work):
        return await db._core.locked("test", work)

    def put(space, cursor):
        return run(lambda ex: put_cursor(ex, space.space_id, space.space_name, cursor))

    def read(space):
        return run(lambda ex: read_cursors(ex, space.space_id))

    await put(mine, ONE)
    await put(mine, LayerCursor("backup", {}))
    await put(theirs, ONE._replace(vector={}))
    moved = ONE._replace(vector={b"a" * 16: 4, b"b" * 16: 1}, failed_at=None, error=None)
    await put(mine, moved)
    assert await read(mine) == {"backup": LayerCursor("backup", {}), "server": moved}
    assert await read(theirs) == {"server": ONE._replace(vector={})}
    await run(lambda ex: forget_cursor(ex, mine.space_id, "server"))
    assert list(await read(mine)) == ["backup"]
    await db.spaces.delete("mine", force=True)
    assert await read(mine) == {}
    assert list(await read(theirs)) == ["server"]
    with pytest.raises(SpaceNotFoundError):
        await put(mine, ONE)
