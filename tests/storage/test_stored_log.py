import pytest
import sqlalchemy as sa

from ramax import NewEvent, Query
from ramax.core.state import ReadFailedError
from ramax.storage.stored_log import StoredLog


@pytest.fixture
async def space(db):
    for name in ("other", "mine"):
        await db.spaces.create(name)
        await db.events.append_many(
            name, [NewEvent(f"t{n}", {}, entity_id="e", tags=["x"]) for n in range(4)]
        )
    return await db.spaces.get("mine")


async def test_it_answers_for_its_space_up_to_the_guard(db, space):
    def ask(ex):
        log = StoredLog(ex, space.space_id)
        return (
            log.types_up_to(2),
            log.count_of("e", 3, 100),
            log.count_of("e", 3, 2),
            log.count_of("f", 3, 100),
            log.newest_match(Query(tags=["x"]), 0, 3),
            log.newest_match(Query(tags=["x"]), 3, 3),
        )

    assert await db._core.read(ask) == (frozenset({"t0", "t1"}), 3, 2, 0, 3, None)


@pytest.mark.parametrize("ask", ["count_of", "newest_match"])
async def test_a_failure_of_the_database_is_not_for_the_domain(db, space, ask):
    async with db.connection() as connection:
        await connection.execute(sa.text("DROP TABLE events"))
        await connection.commit()
    arguments = ("e", 9, 9) if ask == "count_of" else (Query(tags=["x"]), 0, 9)
    with pytest.raises(ReadFailedError):
        await db._core.read(lambda ex: getattr(StoredLog(ex, space.space_id), ask)(*arguments))
