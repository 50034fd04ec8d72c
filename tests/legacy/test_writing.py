"""What only shows between the steps of an import; the rest is in `test_importer`."""

import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax.legacy import ImportConflictError, import_legacy, open_source
from ramax.legacy.examination import target_names
from ramax.legacy.target import survey
from ramax.legacy.writing import Writing, claim_ids, may_keep
from tests.legacy.old_files import two_spaces


@pytest.fixture
def source(tmp_path):
    with open_source(two_spaces(tmp_path / "elixir.db").path) as opened:
        yield opened


async def begun(db, source, before_begin):
    """Begin to write after something has happened since the survey."""
    known = await survey(db._core.read, source, target_names(source.spaces, None, {}))
    await before_begin
    async with db.transaction("default") as tx:
        await Writing(tx.run, source, known, lambda _: None).begin()


async def test_a_space_that_is_made_since_the_survey_is_a_conflict(db, source):
    with pytest.raises(ImportConflictError, match="meanwhile"):
        await begun(db, source, db.spaces.create("b"))
    assert {s.space_name for s in await db.spaces.list_all()} == {"default", "b"}


async def test_an_empty_space_that_is_written_to_since_the_survey_is_a_conflict(db, source):
    await db.spaces.create("b")
    with pytest.raises(ImportConflictError, match="meanwhile"):
        await begun(db, source, db.events.append("b", "e", "t", {}))
    assert len([e async for e in db.events.stream_all_events()]) == 1


async def test_ids_are_kept_only_where_none_was_used(db, source):
    assert await db._core.read(lambda ex: may_keep(ex, source)) == (True, True)
    await db.spaces.create("a")
    assert await db._core.read(lambda ex: may_keep(ex, source)) == (False, True)
    await db.events.append("a", "e", "t", {})
    assert await db._core.read(lambda ex: may_keep(ex, source)) == (False, False)
    assert await db._core.locked("a test", lambda ex: claim_ids(ex, source)) == (False, False)


@pytest.mark.postgres
async def test_an_append_that_was_first_at_an_unused_database_keeps_its_id(postgres_url, tmp_path):
    file = two_spaces(tmp_path / "elixir.db")
    waiting = sa.text(
        "SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted"
    )
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        store = await db.content_store("here")
        async with other.engine.connect() as connection, connection.begin():
            # where an append is before it has drawn its id
            await connection.execute(sa.text("LOCK TABLE events IN ROW EXCLUSIVE MODE"))
            task = asyncio.create_task(import_legacy(db, file.path))
            while not await connection.scalar(waiting):
                assert not task.done()
            tx = await store.join(connection)
            event = await tx.append("e", "t", {})
        report = await task
        assert event.event_id == 1
        assert not report.event_ids.kept
        assert [e.event_id async for e in db.events.stream_all_events()] == list(range(1, 12))
