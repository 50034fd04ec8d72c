"""`db.checkpoints` and the checkpoints of a store: how far each reader of a space has come."""

import asyncio
from typing import Any

import pytest

import ramax
from ramax import ConcurrencyError, DataError, MisuseError
from ramax.errors import SpaceNotFoundError
from ramax.storage import deletion, locks
from ramax.storage.executors import CoreExecutor
from tests._domains import add, counter
from tests._tables import dump, of_space

BAD_NAMES: list[Any] = ["", None, 5, b"c", "a\x00", "\ud800", "x" * 256, "é" * 128, ["c"]]
BAD_SEQUENCES: list[Any] = [-1, 2**63, 10**40, "1", 1.0, True, None]


@pytest.fixture
async def store(db):
    """A space of five events."""
    found = await db.content_store("acme", counter())
    for _ in range(5):
        await found.execute(add)
    return found


async def test_the_checkpoint_of_the_pstate_follows_the_commands(db, store):
    assert await store.get_checkpoint() == 5
    assert await db.checkpoints.get("acme") == 5
    assert await db.checkpoints.list("acme") == {"pstate": 5}
    await store.events.append("n", "added", {"by": 1})
    assert await store.get_checkpoint() == 5
    assert await store.catchup_pstate() == 1
    assert await store.get_checkpoint("pstate") == 6


async def test_a_reader_that_never_finished_anything_is_at_0(db, store):
    await db.spaces.create("fresh")
    assert await store.get_checkpoint("mailer") == 0
    assert await db.checkpoints.get("acme", "mailer") == 0
    assert await db.checkpoints.list("fresh") == {}
    assert await db.checkpoints.get("fresh") == 0


async def test_a_checkpoint_moves_by_compare_and_set(db, store):
    for space in (store.space, store.space.space_id, "acme"):
        name = f"reader of {space}"
        await db.checkpoints.advance(space, name, 2, expected=0)
        assert await db.checkpoints.get(space, name) == 2
        await db.checkpoints.advance(space, name, 5, expected=2)
        await db.checkpoints.advance(space, name, 5, expected=5)
        assert await store.get_checkpoint(name) == 5


async def test_a_checkpoint_that_is_elsewhere_is_not_moved(db, store):
    await db.checkpoints.advance("acme", "mailer", 2, expected=0)
    before = await dump(db)
    for wrong in (0, 1, 3):
        with pytest.raises(ConcurrencyError) as caught:
            await db.checkpoints.advance("acme", "mailer", 4, expected=wrong)
        error = caught.value
        assert (error.space, error.expected, error.actual) == ("acme", wrong, 2)
        assert error.checkpoint == "mailer"
        assert str(error) == f"checkpoint 'mailer' of space 'acme' is at 2, expected {wrong}"
    with pytest.raises(ConcurrencyError) as caught:
        await db.checkpoints.advance("acme", "other", 4, expected=3)
    assert caught.value.actual == 0
    assert await dump(db) == before


async def test_of_many_that_move_a_checkpoint_one_wins(db, store):
    outcomes = await asyncio.gather(
        *(db.checkpoints.advance("acme", "mailer", n, expected=0) for n in (1, 2, 3, 4, 5)),
        return_exceptions=True,
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(o, ConcurrencyError) for o in outcomes) == 4
    assert await store.get_checkpoint("mailer") == outcomes.index(None) + 1


async def test_a_store_moves_its_readers_forward_only(db, store):
    await store.update_checkpoint(3, name="mailer")
    await store.update_checkpoint(3, name="mailer")
    await store.update_checkpoint(4, name="mailer")
    before = await dump(db)
    with pytest.raises(DataError, match="never goes back"):
        await store.update_checkpoint(2, name="mailer")
    with pytest.raises(DataError, match="ends at 5"):
        await store.update_checkpoint(6, name="mailer")
    with pytest.raises(MisuseError, match="pstate"):
        await store.update_checkpoint(5, name="pstate")
    assert await dump(db) == before
    assert await store.get_checkpoint("mailer") == 4


async def test_the_repository_has_the_same_rules(db, store):
    await db.checkpoints.advance("acme", "mailer", 4, expected=0)
    before = await dump(db)
    with pytest.raises(DataError, match="never goes back"):
        await db.checkpoints.advance("acme", "mailer", 3, expected=4)
    with pytest.raises(DataError, match="ends at 5"):
        await db.checkpoints.advance("acme", "mailer", 6, expected=4)
    with pytest.raises(MisuseError, match="pstate"):
        await db.checkpoints.advance("acme", "pstate", 5, expected=5)
    with pytest.raises(SpaceNotFoundError):
        await db.checkpoints.advance("nobody", "mailer", 0, expected=0)
    assert await dump(db) == before


async def test_names_and_sequences_that_break_the_rules_are_refused(db, store):
    before = await dump(db)
    attempts = [
        *(lambda b=b: db.checkpoints.get("acme", b) for b in BAD_NAMES),
        *(lambda b=b: db.checkpoints.advance("acme", b, 1, expected=0) for b in BAD_NAMES),
        *(lambda b=b: store.get_checkpoint(b) for b in BAD_NAMES),
        *(lambda b=b: store.update_checkpoint(1, name=b) for b in BAD_NAMES),
        *(lambda b=b: db.checkpoints.advance("acme", "m", b, expected=0) for b in BAD_SEQUENCES),
        *(lambda b=b: db.checkpoints.advance("acme", "m", 1, expected=b) for b in BAD_SEQUENCES),
        *(lambda b=b: store.update_checkpoint(b, name="m") for b in BAD_SEQUENCES),
    ]
    for attempt in attempts:
        with pytest.raises(DataError) as caught:
            await attempt()
        assert caught.value.rule in str(caught.value)
    assert await dump(db) == before
    await store.update_checkpoint(1, name="é" * 127)
    assert await store.get_checkpoint("é" * 127) == 1


async def test_readers_and_spaces_do_not_move_each_other(db, store):
    other = await db.content_store("other", counter())
    await other.execute(add)
    await store.update_checkpoint(3, name="mailer")
    await store.update_checkpoint(4, name="Mailer")
    await other.update_checkpoint(1, name="mailer")
    assert await db.checkpoints.list("acme") == {"Mailer": 4, "mailer": 3, "pstate": 5}
    assert list(await db.checkpoints.list("acme")) == ["Mailer", "mailer", "pstate"]
    assert await db.checkpoints.list("other") == {"mailer": 1, "pstate": 1}


async def test_a_checkpoint_is_stored_with_the_event_it_stands_at(db, store):
    await store.update_checkpoint(3, name="mailer")
    events = [event async for event in store.events.stream_space_events()]
    rows = {row["name"]: row for row in (await dump(db))["projection_checkpoints"]}
    assert rows["mailer"]["last_event_id"] == events[2].event_id
    assert rows["pstate"]["last_event_id"] == events[4].event_id


async def test_checkpoints_outlive_the_process(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        await store.update_checkpoint(1, name="mailer")
    async with ramax.connect(durable_url) as db:
        assert await db.checkpoints.list("acme") == {"mailer": 1, "pstate": 1}


async def test_a_rebuild_leaves_the_readers_where_they_are(store):
    await store.update_checkpoint(2, name="mailer")
    await store.rebuild_pstate()
    assert await store.get_checkpoint("mailer") == 2
    assert await store.get_checkpoint() == 5


async def test_a_space_that_is_being_deleted_gets_no_checkpoint(postgres_url):
    """The delete is not committed when the reader looks: it must wait, not leave a row behind."""
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        tables = db._core.backend.tables

        def delete(connection):
            executor = CoreExecutor(connection, tables)
            locks.take_lock(executor, store.space.space_id, "acme")
            deletion.delete(executor, store.space, force=True)

        async with other.engine.connect() as connection, connection.begin():
            await connection.run_sync(delete)
            moving = asyncio.create_task(store.update_checkpoint(1, name="mailer"))
            await asyncio.wait([moving], timeout=0.3)
        with pytest.raises(SpaceNotFoundError):
            await moving
        assert of_space(await dump(db), store.space.space_id) == {}


async def test_a_reader_that_moves_its_checkpoint_does_not_hold_up_commands(postgres_url):
    async with ramax.connect(postgres_url) as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        tables = db._core.backend.tables
        async with db.engine.connect() as connection, connection.begin():
            await connection.run_sync(
                lambda c: locks.keep(CoreExecutor(c, tables), store.space.space_id)
            )
            async with asyncio.timeout(25):
                await store.execute(add)
        assert await store.get_checkpoint() == 2
