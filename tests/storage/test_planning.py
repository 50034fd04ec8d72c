import pytest
import sqlalchemy as sa

from ramax.storage.planning import BY_INDEX, limit_waiting
from ramax.storage.sql import Statement

pytestmark = pytest.mark.postgres

NAMES = ("lock_timeout", *BY_INDEX)


@Statement
def _settings(_):
    return sa.select(*(sa.func.current_setting(name) for name in NAMES))


def settings(ex):
    return dict(zip(NAMES, ex.rows(_settings, {})[0], strict=True))


async def test_a_transaction_of_our_own_waits_for_so_long_and_plans_by_indexes(db_on_postgres):
    def work(ex):
        before = settings(ex)
        limit_waiting(ex, 1.5)
        return before, settings(ex)

    backend = db_on_postgres._core.backend
    before, within = await backend.locked(work)
    assert within == {"lock_timeout": "1500ms", **BY_INDEX}
    assert await backend.locked(settings) == before


async def test_in_somebody_elses_transaction_only_the_wait_is_limited(db_on_postgres):
    def work(ex):
        before = settings(ex)
        limit_waiting(ex, 1.5, joined=True)
        return before, settings(ex)

    before, within = await db_on_postgres._core.backend.locked(work)
    assert within == {**before, "lock_timeout": "1500ms"}


async def test_transactions_of_a_store_are_ours_and_joined_ones_are_not(db_on_postgres):
    store = await db_on_postgres.content_store("s")
    async with store.transaction() as tx:
        assert (await tx.run(settings)).items() >= BY_INDEX.items()
    async with db_on_postgres.connection() as connection, connection.begin():
        tx = await store.join(connection)
        assert not (await tx.run(settings)).items() & BY_INDEX.items()
