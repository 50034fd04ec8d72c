import pytest
import sqlalchemy as sa

from ramax.storage.faults import ConnectionLostError
from ramax.storage.planning import SESSION
from ramax.storage.sql import Statement

pytestmark = pytest.mark.postgres


@Statement
def setting(_):
    return sa.select(*(sa.func.current_setting(name) for name in SESSION))


def settings(ex):
    return dict(zip(SESSION, ex.rows(setting, {})[0], strict=True))


async def test_a_session_plans_for_any_values_and_by_indexes(db_on_postgres):
    held = await db_on_postgres._core.backend._hold()
    assert await held.run(settings) == SESSION
    await held.close()
    assert held.lost


async def test_what_is_abandoned_is_lost_and_says_so_to_whoever_uses_it(db_on_postgres):
    held = await db_on_postgres._core.backend._hold()
    held.abandon()
    assert held.lost
    with pytest.raises(ConnectionLostError):
        await held.read(settings)
    with pytest.raises(ConnectionLostError):
        await held.control("ROLLBACK")
    await held.close(broken=True)
