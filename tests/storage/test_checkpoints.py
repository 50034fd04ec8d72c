import pytest

from ramax.storage import checkpoints
from tests._tables import dump


@pytest.fixture
async def space_id(db):
    other, space = await db.spaces.create("other"), await db.spaces.create("s")
    for at in range(3):
        await db.events.append(other, "e", "t", {"at": at})
        await db.events.append(space, "e", "t", {"at": at})
    return space.space_id


@pytest.fixture
def advance(db, space_id):
    def to(sequence, *, expected):
        return db._core.locked(
            "a test",
            lambda ex: checkpoints.advance(
                ex, space_id, "mailer", sequence, expected=expected, now=1
            ),
        )

    return to


async def test_a_checkpoint_moves_only_from_where_it_was_expected(db, space_id, advance):
    assert not await advance(2, expected=1)
    assert await advance(2, expected=0)
    before = await dump(db)
    assert not await advance(3, expected=0)
    assert not await advance(3, expected=1)
    assert await dump(db) == before
    assert await advance(3, expected=2)
    assert await db._core.read(lambda ex: checkpoints.read(ex, space_id, "mailer")) == 3


async def test_a_checkpoint_at_0_can_be_left_by_who_expects_0(db, space_id, advance):
    assert await advance(0, expected=0)
    assert await advance(1, expected=0)
    assert await db._core.read(lambda ex: checkpoints.read(ex, space_id, "mailer")) == 1


async def test_a_checkpoint_carries_the_id_of_its_event(db, space_id, advance):
    await advance(2, expected=0)
    (row,) = (await dump(db))["projection_checkpoints"]
    assert (row["last_space_sequence"], row["last_event_id"]) == (2, 4)
    found = await db._core.read(
        lambda ex: [checkpoints.event_id_at(ex, space_id, at) for at in (0, 1, 4)]
    )
    assert found == [0, 2, 0]


async def test_no_checkpoint_is_0_and_no_space_is_none(db, space_id, advance):
    await advance(1, expected=0)
    other = (await db.spaces.get("other")).space_id

    def read(ex):
        return [
            (checkpoints.read(ex, s, "mailer"), checkpoints.read_all(ex, s))
            for s in (space_id, other, 99)
        ]

    assert await db._core.read(read) == [(1, {"mailer": 1}), (0, {}), (None, None)]
