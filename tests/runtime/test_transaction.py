import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax import (
    ClosedError,
    DataError,
    Domain,
    MisuseError,
    NestedTransactionError,
    NewEvent,
    Rejected,
    SpaceNameError,
    SpaceNotFoundError,
)

domain = Domain("counting")


@domain.applicator("counted")
def counted(state, event):
    state["total"] = state.get("total", 0) + event.payload["by"]


class TooMuch(Rejected): ...


def count(state, by):
    if by > 10:
        raise TooMuch(by)
    return [NewEvent("counted", {"by": by}, entity_id="total")]


@pytest.fixture
async def store(db):
    return await db.content_store("a", domain)


async def test_what_a_block_did_is_committed_at_its_end(store):
    async with store.transaction() as tx:
        await tx.execute(count, 1)
        await tx.execute(count, 2)
        assert await tx.pstate.get("total") == 3
    assert await store.pstate.get("total") == 3
    assert await store.get_checkpoint() == 2


async def test_an_error_that_leaves_the_block_takes_everything_back(store):
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await tx.execute(count, 1)
            raise ZeroDivisionError
    assert await store.pstate.get("total") is None
    assert await store.events.get_space_latest_sequence() == 0
    assert (await store.execute(count, 5)).space_sequence == 1


async def test_a_no_leaves_the_transaction_usable(store):
    async with store.transaction() as tx:
        with pytest.raises(TooMuch):
            await tx.execute(count, 11)
        await tx.execute(count, 4)
    assert await store.pstate.get("total") == 4


async def test_many_commands_are_one_step_of_which_each_has_its_commit(store):
    async with store.transaction() as tx:
        await tx.execute(count, 1)
        commits = await tx.execute_many(((count, by) for by in (2, 3)), expected_sequence=1)
        assert [commit.space_sequence for commit in commits] == [2, 3]
        with pytest.raises(TooMuch):
            await tx.execute_many([(count, 4), (count, 11)])
        with pytest.raises(DataError, match="pairs"):
            await tx.execute_many([count])
        assert await tx.execute_many([]) == []
        assert await tx.pstate.get("total") == 6
    assert await store.pstate.get("total") == 6


@pytest.mark.postgres
async def test_a_step_of_many_commands_is_as_many_statements_as_one_of_few(db_on_postgres):
    """On PostgreSQL each step goes over the rows that those before it in its transaction left."""
    asked: list[int] = []
    statements: list[str] = []
    engine = db_on_postgres.engine.sync_engine
    store = await db_on_postgres.content_store("a", domain)
    await store.execute(count, 1)
    sa.event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    for many in (2, 200):
        async with store.transaction() as tx:
            await tx.execute_many([(count, 1)] * many)
            statements.clear()
            await tx.execute_many([(count, 1)] * many)
            asked.append(len(statements))
    assert asked[0] == asked[1] > 0


async def test_code_may_wait_between_two_steps(store):
    async with store.transaction() as tx:
        seen = await tx.execute(count, 1)
        await asyncio.sleep(0)
        await tx.execute(count, 1, expected_sequence=seen.space_sequence)
    assert await store.pstate.get("total") == 2


async def test_two_spaces_are_written_together_or_not_at_all(db, store):
    other = await db.content_store("b", domain)
    with pytest.raises(TooMuch):
        async with db.transaction(other, store) as tx:
            await tx.at(store).execute(count, 1)
            await tx.at(other).execute(count, 11)
    assert await store.pstate.get("total") is None
    async with db.transaction("a", "b") as tx:
        await tx.at("a", domain).execute(count, 1)
        await tx.at("b", domain).execute(count, 2)
    assert (await store.pstate.get("total"), await other.pstate.get("total")) == (1, 2)


async def test_a_handle_inside_the_block_is_refused_at_once(store):
    async with store.transaction() as tx:
        with pytest.raises(NestedTransactionError):
            await store.execute(count, 1)
        with pytest.raises(NestedTransactionError):
            await store.pstate.get("total")
        await tx.execute(count, 1)
    assert await store.pstate.get("total") == 1


async def test_a_transaction_is_over_after_its_block(store):
    async with store.transaction() as tx:
        await tx.execute(count, 1)
    with pytest.raises(ClosedError):
        await tx.execute(count, 1)
    with pytest.raises(MisuseError):
        async with tx:
            pass


async def test_a_gap_is_folded_before_the_first_decision(store):
    await store.events.append("total", "counted", {"by": 7})
    async with store.transaction() as tx:
        assert await tx.pstate.get("total") == 7
        await tx.execute(count, 1)
    assert await store.pstate.get("total") == 8


async def test_a_name_that_is_not_there_is_made_a_space(db):
    async with db.transaction("new", "other") as tx:
        await tx.at("new").append("e", "t", {})
    assert [s.space_name for s in await db.spaces.list_all()] == ["default", "new", "other"]
    assert await db.events.get_space_latest_sequence("new") == 1


async def test_a_space_that_is_not_there_is_named(db):
    for missing in (7, ramax.Space(7, "gone", ramax.values.EPOCH)):
        with pytest.raises(SpaceNotFoundError, match="gone|7"):
            async with db.transaction(missing):
                pass
    with pytest.raises(SpaceNameError, match="No Name"):
        async with db.transaction("No Name"):
            pass
