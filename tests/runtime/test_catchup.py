"""Catching up folds what the pstate lacks, each event once, page by page, as far as it can."""

from typing import Any

import pytest

import ramax
from ramax.errors import DomainMismatchError, FoldError, SpaceNotFoundError
from tests._domains import counter


async def behind(db: ramax.Database, amounts: list[Any]) -> ramax.ContentStore:
    """A space whose pstate lacks as many events."""
    store = await db.content_store("acme", counter())
    await store.events.append_many([ramax.NewEvent("added", {"by": by}) for by in amounts])
    return store


@pytest.mark.parametrize("count", [1, 1999, 2000, 2001])
async def test_every_missing_event_is_folded_once_whatever_the_pages(count: int) -> None:
    async with ramax.connect() as db:
        store = await behind(db, [1] * count)
        assert db._core.options.page == 2000
        assert await store.catchup_pstate() == count
        assert await store.get_checkpoint() == count
        assert await store.pstate.get("n") == count
        assert await store.catchup_pstate() == 0


async def test_an_applicator_that_fails_leaves_the_pages_before_it(db: ramax.Database) -> None:
    store = await behind(db, [1] * 2000 + [1, "one", 1])
    with pytest.raises(FoldError) as caught:
        await store.catchup_pstate()
    assert caught.value.sequence == 2002
    assert isinstance(caught.value.__cause__, TypeError)
    assert await store.get_checkpoint() == 2000
    assert await (await db.content_store("acme")).pstate.get("n") == 2000


async def test_the_fold_of_another_domain_is_not_continued(db: ramax.Database) -> None:
    store = await behind(db, [1])
    await store.catchup_pstate()
    await behind(db, [1])
    with pytest.raises(DomainMismatchError):
        await (await db.content_store("acme", counter("another"))).catchup_pstate()
    assert await store.get_checkpoint() == 1


async def test_a_deleted_space_cannot_be_caught_up(db: ramax.Database) -> None:
    store = await behind(db, [1])
    await db.spaces.delete("acme", force=True)
    with pytest.raises(SpaceNotFoundError):
        await store.catchup_pstate()
