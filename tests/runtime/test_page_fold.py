import pytest

from ramax import Domain
from ramax.core.state import ReadFailedError
from ramax.errors import SpaceNotFoundError
from ramax.runtime.page_fold import facts_of, fold_rows
from ramax.storage.events import read_page


async def test_a_space_that_is_gone_is_said_to_be_that(db):
    store = await db.content_store("notes")
    await db.spaces.delete("notes", force=True)
    with pytest.raises(SpaceNotFoundError):
        await store._core.read(lambda ex: facts_of(ex, store.space))


class Failing:
    def load(self, _key):
        raise ReadFailedError(OSError("the disk"))

    def load_range(self, _low, _high):
        raise ReadFailedError(OSError("the disk"))

    def load_nearest(self, _low, _high, _end):
        raise ReadFailedError(OSError("the disk"))


async def test_what_failed_behind_the_mapping_is_what_is_raised(db):
    seen = Domain("seen")

    @seen.applicator("seen")
    def was_seen(state, _event):
        state["n"] = state.get("n", 0) + 1

    store = await db.content_store("notes")
    await store.events.append("e", "seen", {})
    rows = await store._core.read(lambda ex: read_page(ex, store.space.space_id, after=0, limit=9))
    with pytest.raises(OSError, match="disk"):
        fold_rows(seen, Failing(), rows, store.space)
