"""Values are renewed under the lock, all that can be, and only where something is to be written."""

import pytest

from ramax import SpaceNotFoundError
from ramax.core.state import unpack
from ramax.runtime.renewal import renew
from ramax.storage.reads import read_range
from tests._cards import NEW, OLD, cards, old_cards, put


@pytest.fixture
async def old(db):
    store = await db.content_store("s", old_cards())
    for key, value in OLD.items():
        await store.execute(put, (key, value))
    return store


async def renewed(db, store, keys):
    domain, space = cards(), store.space
    return await db._core.turns.locked(
        "renewing", lambda ex: renew(ex, space.space_id, "s", dict.fromkeys(keys, domain.schema))
    )


async def test_what_is_old_is_written_in_todays_shape_and_the_state_version_moves(db, old):
    done = await renewed(db, old, [*OLD, "card:none"])
    assert {key: unpack(value) for key, value in done.written.items()} == {
        key: value for key, value in NEW.items() if OLD[key] != value
    }
    assert done.failures == []
    packed = await db._core.read(lambda ex: read_range(ex, old.space.space_id, "", "~"))
    assert {key: unpack(value) for key, value in packed.items()} == NEW
    facts = await db._core.reader.facts(old.space.space_id, ())
    assert facts.guard.state_version == done.guard.state_version + 1


async def test_where_nothing_is_old_nothing_moves(db, old):
    await renewed(db, old, OLD)
    before = await db._core.reader.facts(old.space.space_id, ())
    done = await renewed(db, old, OLD)
    assert (done.written, done.failures) == ({}, [])
    assert await db._core.reader.facts(old.space.space_id, ()) == before


async def test_one_that_cannot_be_renewed_keeps_no_other_from_it(db, old):
    await old.execute(put, ("card:3", {"front": "x", "level": "many"}))
    done = await renewed(db, old, ["card:3", "card:1"])
    assert list(done.written) == ["card:1"]
    assert ["card:3" in str(error) for error in done.failures] == [True]


async def test_a_space_that_is_gone_is_not_written(db, old):
    await db.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await renewed(db, old, OLD)
