import asyncio

import pytest

import ramax
from ramax.storage import import_ids


async def locked(db, work):
    return await db._core.locked("a test", work)


class RolledBackError(Exception):
    pass


async def rolled_back(db, work):
    def then_fail(ex):
        work(ex)
        raise RolledBackError

    with pytest.raises(RolledBackError):
        await locked(db, then_fail)


async def test_what_was_once_used_is_known_though_it_is_gone(db):
    assert await locked(db, import_ids.was_used) == (False, False)
    await db.spaces.create("a")
    assert await locked(db, import_ids.was_used) == (True, False)
    await db.events.append("a", "e", "t", {})
    await db.spaces.delete("a", force=True)
    assert await locked(db, import_ids.was_used) == (True, True)


async def test_drawn_ids_grow_and_are_above_all_that_were_used(db):
    used = await db.events.append("default", "e", "t", {})
    drawn = await locked(db, lambda ex: list(import_ids.draw_event_ids(ex, 3)))
    assert drawn == [used.event_id + 1, used.event_id + 2, used.event_id + 3]


async def test_more_ids_than_are_drawn_at_once_are_all_others(db):
    count = import_ids._DRAWN_AT_ONCE + 1
    drawn = await locked(db, lambda ex: list(import_ids.draw_event_ids(ex, count)))
    assert len(drawn) == count
    assert all(a < b for a, b in zip(drawn, drawn[1:], strict=False))


async def test_reserved_ids_are_not_given_to_anything_new(db):
    await locked(db, lambda ex: import_ids.reserve_event_ids(ex, 41))
    await locked(db, lambda ex: import_ids.reserve_space_ids(ex, 6))
    assert await locked(db, import_ids.was_used) == (True, True)
    assert await db.events.get_latest_event_id() == 41
    assert (await db.spaces.create("a")).space_id == 7
    assert (await db.events.append("a", "e", "t", {})).event_id == 42


async def test_nothing_to_reserve_leaves_everything_unused(db):
    await locked(db, lambda ex: import_ids.reserve_event_ids(ex, 0))
    await locked(db, lambda ex: import_ids.reserve_space_ids(ex, 0))
    assert await locked(db, import_ids.was_used) == (False, False)


async def test_what_was_reserved_is_free_again_after_a_rollback(db):
    def reserve(ex):
        import_ids.reserve_event_ids(ex, 41)
        import_ids.reserve_space_ids(ex, 6)

    await rolled_back(db, reserve)
    assert await locked(db, import_ids.was_used) == (False, False)
    assert (await db.spaces.create("a")).space_id == 1
    assert (await db.events.append("a", "e", "t", {})).event_id == 1


@pytest.mark.postgres
async def test_while_ids_are_to_stay_unused_nobody_appends_or_makes_a_space(postgres_url):
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        async with db.engine.connect() as connection, connection.begin():
            await connection.run_sync(lambda c: import_ids.keep_unused(_executor(db, c)))
            append = asyncio.create_task(other.events.append("default", "e", "t", {}))
            done, _ = await asyncio.wait([append], timeout=0.3)
            assert not done
        assert (await append).event_id == 1


@pytest.mark.postgres
async def test_drawing_holds_the_feed_back_until_the_transaction_ends(postgres_url):
    async with ramax.connect(postgres_url) as db:
        await db.events.append("default", "e", "t", {})
        async with db.engine.connect() as connection, connection.begin():
            await connection.run_sync(
                lambda c: list(import_ids.draw_event_ids(_executor(db, c), 2))
            )
            late = await db.events.append("default", "e", "t", {})
            assert [e.event_id async for e in db.events.stream_all_events()] == [1]
        assert [e.event_id async for e in db.events.stream_all_events()] == [1, late.event_id]


@pytest.mark.postgres
async def test_one_import_waits_for_the_other(postgres_url):
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        async with db.engine.connect() as connection, connection.begin():
            await connection.run_sync(lambda c: import_ids.take_turn(_executor(db, c)))
            waiting = asyncio.create_task(locked(other, import_ids.take_turn))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
        await waiting


def _executor(db, connection):
    from ramax.storage.executors import CoreExecutor

    return CoreExecutor(connection, db._core.backend.tables)
