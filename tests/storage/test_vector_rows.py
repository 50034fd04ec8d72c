import pytest

from ramax import SpaceNotFoundError
from ramax.storage import vector_rows
from ramax.storage.vector_rows import NOWHERE, Place
from tests.datatypes._pgvector import with_pgvector

HERE = Place(1, 5, 3, 1)


@pytest.fixture
def run(db_on_postgres):
    async def run(work):
        return await db_on_postgres._core.locked("test", work)

    return run


@pytest.mark.postgres
async def test_copies_and_their_place_are_of_one_collection_of_one_space(db_on_postgres, run):
    mine, theirs = [(await db_on_postgres.spaces.create(name)).space_id for name in ("a", "b")]
    for space_id, collection in ((mine, "c"), (mine, "d"), (theirs, "c")):

        def begin(ex, space_id=space_id, collection=collection):
            assert vector_rows.read_place(ex, space_id, collection) == NOWHERE
            vector_rows.hold(ex, space_id, collection)
            vector_rows.put(ex, space_id, collection, [("x", [1.0, 0.0]), ("y", [0.0, 1.0])])
            vector_rows.set_place(ex, space_id, collection, HERE)

        await run(begin)
    await run(lambda ex: vector_rows.delete(ex, mine, "c", ["x"]))
    await run(lambda ex: vector_rows.delete(ex, mine, "c", []))
    await run(lambda ex: vector_rows.forget(ex, mine, "d"))
    found = {
        (space_id, collection): await run(
            lambda ex, s=space_id, c=collection: vector_rows.read_place(ex, s, c)
        )
        for space_id in (mine, theirs)
        for collection in ("c", "d")
    }
    assert found == {
        (mine, "c"): HERE,
        (mine, "d"): NOWHERE,
        (theirs, "c"): HERE,
        (theirs, "d"): NOWHERE,
    }
    async with db_on_postgres.engine.connect() as connection:
        query = "SELECT space_id, collection, key FROM vector_rows ORDER BY 1, 2, 3"
        rows = [tuple(row) for row in await connection.exec_driver_sql(query)]
    assert rows == [(mine, "c", "y"), (theirs, "c", "x"), (theirs, "c", "y")]


@pytest.mark.postgres
async def test_a_space_that_is_gone_gets_no_copies(db_on_postgres, run):
    space = await db_on_postgres.spaces.create("a")
    await db_on_postgres.spaces.delete("a")
    with pytest.raises(SpaceNotFoundError):
        await run(lambda ex: vector_rows.hold(ex, space.space_id, "c"))


async def test_only_postgres_has_the_extension_and_only_where_somebody_made_it(db):
    assert not await db._core.read(vector_rows.is_available)
    if db.engine.dialect.name == "postgresql":
        await with_pgvector(db.engine.url.render_as_string(hide_password=False))
        assert await db._core.read(vector_rows.is_available)


@pytest.mark.postgres
async def test_those_as_near_as_the_last_are_all_there(db_on_postgres, run):
    await with_pgvector(db_on_postgres.engine.url.render_as_string(hide_password=False))
    space_id = (await db_on_postgres.spaces.create("a")).space_id

    def put(ex):
        rows = [(f"k{n}", [float(n // 3), 1.0]) for n in range(9)]
        vector_rows.put(ex, space_id, "c", rows)

    await run(put)
    for operator, expected in (("<->", "012"), ("<#>", "678")):
        rows = await run(
            lambda ex, by=operator: vector_rows.nearest(
                ex, space_id, "c", by, [0.0 if by == "<->" else 1.0, 1.0], prefix="p/", limit=2
            )
        )
        # none is stored in the pstate
        assert sorted(rows) == [(f"k{n}", None, None) for n in expected]


@pytest.mark.postgres
async def test_a_search_reads_the_rows_of_its_collection_only(db_on_postgres):
    await with_pgvector(db_on_postgres.engine.url.render_as_string(hide_password=False))
    statement = vector_rows._nearest("<#>").on(db_on_postgres._core.backend.tables)
    values = {"space_id": 2, "collection": "c", "prefix": "p", "limit": 5, "wanted": [1.0]}
    async with db_on_postgres.engine.connect() as connection:
        for space_id in range(1, 41):
            await connection.exec_driver_sql(
                f"INSERT INTO vector_rows SELECT {space_id}, 'c', 'k' || n, ARRAY[n] "
                "FROM generate_series(1, 500) n"
            )
        await connection.exec_driver_sql("ANALYZE vector_rows")
        driver = (await connection.get_raw_connection()).driver_connection
        arguments = statement.arguments(values)
        plan = await driver.fetch(f"EXPLAIN {statement.text}", *arguments)
    text = "\n".join(row[0] for row in plan)
    assert "vector_rows_pkey" in text
    assert "Seq Scan on vector_rows" not in text
