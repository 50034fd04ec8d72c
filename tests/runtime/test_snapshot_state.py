import pytest

from ramax.core.sync.place import FoldPlace
from ramax.runtime.snapshot_state import Chunks, Over, SnapshotGoneError, SnapshotState, keys_in
from ramax.storage import canonical_snapshots as stored

FIRST, SECOND = (FoldPlace((n, b"o" * 16, n), n, {b"o" * 16: n}) for n in (1, 2))


@pytest.fixture
async def written(db, monkeypatch):
    monkeypatch.setattr(stored, "CHUNK", 6)
    space = await db.spaces.create("notes")

    def work(ex):
        stored.write_canonical(ex, space.space_id, "f", FIRST, [(k, b"1") for k in "abcdefgh"])
        stored.write_canonical(ex, space.space_id, "f", SECOND, [("b", b"2"), ("g", None)])

    await db._core.locked("a test", work)
    return space.space_id


async def test_the_newest_value_counts_and_what_went_is_not_there(db, written):
    def work(ex):
        found = stored.read_canonical(ex, written, "f")
        chunks = Chunks(written)
        chunks.ex = ex
        over = Over(SnapshotState(found, chunks), 1 << 20)
        assert [over.value(key) for key in "abgx"] == [b"1", b"2", None, None]
        over.update({"a": None, "g": b"3"})
        assert [over.load(key) for key in "abg"] == [None, b"2", b"3"]
        assert over.load_range("a", "d") == {"b": b"2", "c": b"1"}
        assert over.load_nearest("a", "z", "lowest") == "b"
        assert [*over.written()] == ["a", "g"]
        assert [*keys_in(found[1], chunks)] == ["b", "g"]
        over.close()
        return [(each.place, len(each.chunks)) for each in found]

    assert await db._core.read(work) == [(FIRST, 3), (SECOND, 1)]


async def test_a_snapshot_that_was_dropped_is_told(db, written):
    found = await db._core.read(lambda ex: stored.read_canonical(ex, written, "f"))
    drop = stored.drop_canonical_from
    await db._core.locked("a test", lambda ex: drop(ex, written, SECOND.last[0]))

    def work(ex):
        chunks = Chunks(written)
        chunks.ex = ex
        with pytest.raises(SnapshotGoneError):
            SnapshotState(found, chunks).load("b")
        assert SnapshotState(found[:1], chunks).load("b") == b"1"

    await db._core.read(work)
