"""The statement that searches a space goes along its index, and reads no other space's hits."""

import sqlalchemy as sa

from ramax.storage.tables import build_tables
from ramax.storage.text_search import find_in_postgres, find_in_sqlite


async def test_a_search_goes_along_the_index(db):
    for name in ("a", "b"):
        store = await db.content_store(name)
        await db.spaces.enable_search(name)
        await store.kv.put_many({f"k{n}": f"word number{n}" for n in range(3000)})
    space_id = store.space.space_id
    tables = db._core.backend.tables
    common = {"space_id": space_id, "limit": 10, "offset": 0}
    async with db.connection() as connection:
        if tables.dialect == "sqlite":
            sql = find_in_sqlite(space_id).on(tables)
            params = {"q": '("number7")', "types": '["kv"]', "of_space": space_id}
            explain = f"EXPLAIN QUERY PLAN {sql.text}"
            wanted = f"SCAN ramax_search_{space_id} VIRTUAL TABLE INDEX 0:M"
        else:
            await connection.execute(sa.text("ANALYZE search_documents"))
            await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
            sql = find_in_postgres.on(tables)
            params = {"q": "'number7'", "mine": f"':{space_id}' & 'number7'", "types": ["kv"]}
            explain = f"EXPLAIN (ANALYZE, TIMING OFF) {sql.text}"
            wanted = "Bitmap Index Scan on ix_search_documents_tokens"
        arguments = tuple(sql.arguments(common | params))
        rows = await connection.exec_driver_sql(explain, arguments)
        plan = "\n".join(str(row[-1]) for row in rows)
    assert wanted in plan, plan
    assert "SCAN search_documents" not in plan
    if tables.dialect == "postgresql":  # of 2 such texts in the index it looked at this space's
        [line] = [line for line in plan.splitlines() if "Bitmap Index Scan" in line]
        assert (
            "rows=1.00" in line.partition("actual")[2] or "rows=1 " in line.partition("actual")[2]
        )


def test_the_statement_on_sqlite_names_the_space_and_binds_it():
    sql = find_in_sqlite(7).on(build_tables("sqlite"))
    assert "ramax_search_7" in sql.text
    assert sql.names.count("space_id") == 1
