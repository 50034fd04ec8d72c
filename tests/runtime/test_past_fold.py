import pytest

from ramax.core.state import unpack
from ramax.errors import DomainMismatchError, FoldError, SpaceNotFoundError, StorageError
from ramax.runtime.past_fold import PastFold
from ramax.storage.spill import Spill
from tests._domains import add, counter, delete, documents, put
from tests.runtime._damage import damage

ENOUGH = 1 << 20


@pytest.fixture
async def store(db):
    store = await db.content_store("s", documents())
    for number in range(1, 6):
        await store.execute(put, (f"d{number}", {"v": number}))
    await store.execute(delete, "d2")
    return store


def fold_of(store, values=None, page=2, domain=None) -> PastFold:
    return PastFold(domain or documents(), store.space, page, values or Spill(ENOUGH))


async def fold(db, new: PastFold, upto: int) -> list[bool]:
    answers = []
    while new.sequence < upto:
        answers.append(await db._core.read(lambda ex: new.fold_page(ex, upto)))
    return answers


@pytest.mark.parametrize("memory", [0, ENOUGH], ids=["in a file", "in memory"])
async def test_it_folds_page_by_page_and_stops_where_it_is_told(db, store, memory):
    new = fold_of(store, Spill(memory))
    assert await fold(db, new, 5) == [True, True, False]
    assert new.sequence == 5
    assert [key for key, _ in new.scan("", "")] == ["d1", "d2", "d3", "d4", "d5"]
    assert unpack(new.load("d2") or b"") == {"v": 2}
    assert await fold(db, new, 6) == [False]
    assert new.load("d2") is None
    assert new.load("nobody") is None
    new._values.close()


async def test_a_scan_keeps_to_its_prefix_and_begins_after_a_key(db, store):
    values = Spill(ENOUGH)
    values.update(dict.fromkeys(("a", "a:", "a:1", "a:2", "a:é", "a;", "b"), b"\xc0"))
    new = fold_of(store, values)

    def keys(prefix: str, after: str = "") -> list[str]:
        return [key for key, _ in new.scan(prefix, after)]

    assert keys("a:") == ["a:", "a:1", "a:2", "a:é"]
    assert keys("a:", "a:1") == ["a:2", "a:é"]
    assert keys("a:", "b") == []
    assert keys("a:", "a") == ["a:", "a:1", "a:2", "a:é"]
    assert keys("c") == []


async def test_it_is_for_the_domain_whose_fold_the_space_is(db, store):
    await db._core.read(fold_of(store).begin)
    with pytest.raises(DomainMismatchError, match="'documents'"):
        await db._core.read(fold_of(store, domain=counter()).begin)


async def test_an_applicator_that_fails_is_named_and_the_fold_stays_at_a_page(db, store):
    def broken(state, event):
        if event.space_sequence == 4:
            raise ValueError("no")
        state[event.entity_id] = 1

    new = fold_of(store, domain=type(documents())("documents", broken))
    with pytest.raises(FoldError, match="4"):
        await fold(db, new, 6)
    assert new.sequence == 2


async def test_a_hole_in_the_log_is_no_shorter_history(db, store):
    await damage(db, "DELETE FROM events WHERE space_sequence = 3")
    with pytest.raises(StorageError, match="after 2 are missing"):
        await fold(db, fold_of(store), 6)


async def test_a_space_that_goes_meanwhile_is_not_found(db, store):
    new = fold_of(store)
    await db._core.read(lambda ex: new.fold_page(ex, 6))
    await db.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await fold(db, new, 6)


async def test_another_space_is_not_in_it(db, store):
    other = await db.content_store("other", counter())
    await other.execute(add)
    new = PastFold(counter(), other.space, 2, Spill(ENOUGH))
    assert await fold(db, new, 1) == [False]
    assert [key for key, _ in new.scan("", "")] == ["n"]
