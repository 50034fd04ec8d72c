from datetime import UTC, datetime

import pytest

from ramax import Event, SubscriptionLostError
from ramax.runtime.cursor import Cursor
from ramax.storage.cursors import ALL_SPACES, Place
from ramax.storage.subscriptions import Key
from ramax.storage.subscriptions import add as add_row
from tests._domains import add, counter


@pytest.fixture
async def cursor(db):
    store = await db.content_store("acme", counter())
    for _ in range(3):
        await store.execute(add)
    key = Key(store.space.space_id, "s")
    made = Cursor(db._core, key, 1, "acme")
    await db._core.locked("a test", lambda ex: [add_row(ex, key, 1), made.begin(ex, 0)])  # type: ignore[func-returns-value]
    assert await db._core.leases.take(key, 30)
    return made


async def there(cursor):
    return await cursor._core.read(cursor.read)


async def test_it_moves_from_where_it_was_left_and_from_nowhere_else(cursor):
    await cursor.move_alone(Place(1), None)
    assert (cursor.position, await there(cursor)) == (1, (1, 0))
    cursor.settle(Place(0))
    with pytest.raises(SubscriptionLostError):
        await cursor.move_alone(Place(2), None)
    assert await there(cursor) == Place(1)


async def test_what_began_is_not_begun_again(cursor):
    await cursor.move_alone(Place(2), None)
    await cursor._core.locked("a test", lambda ex: cursor.begin(ex, 0))
    assert await there(cursor) == Place(2)


@pytest.mark.parametrize("committed", [0, 1, 2])
async def test_after_doubts_the_database_says_which_is_true(cursor, committed):
    cursor.doubt(Place(1))
    cursor.doubt(Place(2))
    assert (cursor.position, cursor.acked, cursor.certain) == (2, Place(0), False)
    other = Cursor(cursor._core, cursor._key, 1, "acme")
    await other.move_alone(Place(committed), None)
    await cursor.move_alone(Place(3), None)
    assert (cursor.acked, cursor.certain, await there(cursor)) == (Place(3), True, Place(3))


async def test_a_place_that_was_never_in_doubt_is_anothers_work(cursor):
    cursor.doubt(Place(1))
    other = Cursor(cursor._core, cursor._key, 1, "acme")
    await other.move_alone(Place(3), None)
    with pytest.raises(SubscriptionLostError, match="is at 3"):
        await cursor.move_alone(Place(2), None)


async def test_several_acks_in_one_transaction_end_as_it_does(cursor, db):
    for commit, expected in ((False, 0), (True, 2)):
        async with db.connection() as connection, connection.begin() as begun:
            for at in (1, 2):
                event = an_event(at)
                await cursor.move_on(connection, Place(at), event)
            assert cursor.position == 2
            if not commit:
                await begun.rollback()
        assert await there(cursor) == Place(expected)
    await cursor.move_alone(Place(3), None)
    assert await there(cursor) == Place(3)


def an_event(at):
    return Event(
        event_id=at,
        space_id=1,
        space_sequence=at,
        entity_id="n",
        event_type="added",
        payload={},
        timestamp=datetime.now(UTC),
    )


async def test_partitions_have_checkpoints_of_their_own(db):
    for partition in (0, 1):
        key = Key(ALL_SPACES, "s", partition)
        made = Cursor(db._core, key, 2, "all spaces")
        await db._core.locked("t", lambda ex, k=key, c=made: (add_row(ex, k, 2), c.begin(ex, 0)))
        assert await db._core.leases.take(key, 30)
        await made.move_alone(Place(5 + partition), None)
        assert await there(made) == Place(5 + partition)


async def test_without_the_lease_it_does_not_move(cursor, db):
    await db._core.leases.give_back(cursor._key)
    with pytest.raises(SubscriptionLostError, match="another reader's now: it is at 0"):
        await cursor.move_alone(Place(1), None)
    assert await there(cursor) == Place(0)


async def test_between_two_parts_is_a_place_of_its_own(cursor):
    other = Cursor(cursor._core, cursor._key, 1, "acme")
    await cursor.move_alone(Place(1, 1), None)
    assert (cursor.position, await there(cursor)) == (1, Place(1, 1))
    other.settle(Place(1))
    with pytest.raises(SubscriptionLostError, match="it is at 1 and 1 parts, and .* left it at 1$"):
        await other.move_alone(Place(1, 2), None)
    other.settle(Place(1, 1))
    await other.move_alone(Place(2), None)
    with pytest.raises(SubscriptionLostError, match="it is at 2, and .* left it at 1 and 1 parts"):
        await cursor.move_alone(Place(1, 2), None)
    assert await there(cursor) == Place(2)
