"""Who may call: the tasks of the loop that opened the database, outside their transactions."""

import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax.errors import ClosedError, MisuseError, NestedTransactionError
from ramax.runtime.callers import Callers
from tests._domains import add, counter


async def test_only_the_task_of_a_transaction_is_kept_from_the_handles(db):
    store = await db.content_store("acme", counter())
    opened, go_on = asyncio.Event(), asyncio.Event()

    async def transact():
        async with store.transaction() as tx:
            opened.set()
            await go_on.wait()
            with pytest.raises(NestedTransactionError):
                await store.execute(add)
            await tx.execute(add)
        await store.execute(add)  # free again

    running = asyncio.create_task(transact())
    await opened.wait()
    beside = asyncio.create_task(store.execute(add))  # waits for its turn, or for the lock
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(running, beside)
    assert await store.pstate.fetch("n") == 3


async def test_a_transaction_that_failed_sets_its_task_free(db):
    store = await db.content_store("acme", counter())
    with pytest.raises(ZeroDivisionError):
        async with store.transaction():
            raise ZeroDivisionError
    assert (await store.execute(add)).space_sequence == 1


async def test_a_task_inside_is_told_what_it_is_inside_of():
    callers = Callers()
    callers.check()
    callers.enter("the import")
    with pytest.raises(NestedTransactionError, match="inside the import"):
        callers.check()
    await asyncio.create_task(checking(callers))  # another task is not kept out
    callers.leave(asyncio.current_task())
    callers.check()


async def checking(callers):
    callers.check()


async def test_the_owner_of_a_joined_transaction_may_want_more_of_it():
    callers = Callers()
    with sa.create_engine("sqlite://").connect() as connection:
        begun = connection.begin()
        callers.enter("a joined transaction", begun)
        callers.check(begun)
        with pytest.raises(NestedTransactionError, match="a joined transaction"):
            callers.check()
        begun.rollback()
        callers.check()  # its owner has ended it, and said nothing


async def test_after_the_end_nobody_may():
    callers = Callers()
    callers.closed = True
    with pytest.raises(ClosedError):
        callers.check()


def test_another_loop_and_no_loop_are_refused():
    async def opened():
        return Callers()

    callers = asyncio.run(opened())
    with pytest.raises(MisuseError, match="another event loop"):
        asyncio.run(checking(callers))
    with pytest.raises(MisuseError, match="async only"):
        callers.check()


async def test_a_branch_is_closed_with_its_database(url):
    async with ramax.connect(url) as db:
        await db.branches.create("draft")
        branch = db.at_branch("draft")
        assert not branch._core.closed
    assert branch._core.closed
    with pytest.raises(ClosedError):
        branch._core.check_caller()
