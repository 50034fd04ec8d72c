"""The statement that searches a space goes along its index, and reads no other space's hits."""

from typing import Any

import pytest
import sqlalchemy as sa

from ramax.storage.sql import Sql
from ramax.storage.tables import build_tables
from ramax.storage.text_search import RANKED, find_few, find_in_newest, find_in_sqlite, find_newest

COMMON = {"limit": 10, "offset": 0}


@pytest.fixture
async def two(db):
    for name in ("a", "b"):
        store = await db.content_store(name)
        await db.spaces.enable_search(name)
        await store.kv.put_many({f"k{n}": f"word number{n}" for n in range(3000)})
    return store.space.space_id


async def plan_of(connection: Any, sql: Sql, params: dict[str, Any], space_id: int) -> str:
    explain = "EXPLAIN QUERY PLAN" if "MATCH" in sql.text else "EXPLAIN (ANALYZE, TIMING OFF)"
    arguments = tuple(sql.arguments({"space_id": space_id, "of_space": space_id} | COMMON | params))
    rows = await connection.exec_driver_sql(f"{explain} {sql.text}", arguments)
    return "\n".join(str(row[-1]) for row in rows)


async def test_a_search_goes_along_the_index(db, two):
    tables = db._core.backend.tables
    params: dict[str, Any]
    async with db.connection() as connection:
        if tables.dialect == "sqlite":
            params = {"q": '("number7")', "types": '["kv"]'}
            plan = await plan_of(connection, find_in_sqlite(two).on(tables), params, two)
            assert f"SCAN ramax_search_{two} VIRTUAL TABLE INDEX " in plan, plan
            assert ":M" in plan.partition("VIRTUAL TABLE")[2].partition("\n")[0]
        else:
            await connection.execute(sa.text("ANALYZE search_documents"))
            await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
            params = {"q": "'number7'", "mine": f"':{two}' & 'number7'", "types": ["kv"]}
            for statement in (find_few, find_newest):
                plan = await plan_of(connection, statement.on(tables), params, two)
                # of 2 such texts in the index it looked at this space's
                [line] = [line for line in plan.splitlines() if "_documents_tokens" in line]
                assert "Bitmap Index Scan" in line
                actual = line.partition("actual")[2]
                assert "rows=1.00" in actual or "rows=1 " in actual
    assert "SCAN search_documents" not in plan


async def test_on_sqlite_the_newest_hits_come_without_a_sort(db_on_sqlite):
    store = await db_on_sqlite.content_store("a")
    await db_on_sqlite.spaces.enable_search("a")
    space_id = store.space.space_id
    sql = find_in_sqlite(space_id).on(db_on_sqlite._core.backend.tables)
    params = {"q": '("word")', "types": '["kv"]'}
    async with db_on_sqlite.connection() as connection:
        plan = await plan_of(connection, sql, params, space_id)
    # by score and key, and of the ten in the end again; the hits themselves are in order
    assert plan.count("USE TEMP B-TREE FOR ORDER BY") == 2, plan


async def test_on_postgres_an_index_has_the_newest_first(db_on_postgres, two):
    db = db_on_postgres
    sql = find_in_newest.on(db._core.backend.tables)
    async with db.connection() as connection:
        await connection.execute(sa.text("ANALYZE search_documents"))
        await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        await connection.execute(sa.text("SET LOCAL enable_sort = off"))  # there are few texts here
        plan = await plan_of(connection, sql, {"q": "'word'", "types": ["kv"]}, two)
    assert "Index Scan Backward using ix_search_documents_newest" in plan, plan


async def test_of_more_hits_than_are_ranked_the_newest_are_and_rare_words_miss_nothing(db):
    store = await db.content_store("s")
    keys = [f"k{n:05}" for n in range(RANKED + 5)]
    texts = dict.fromkeys(keys, "word")
    texts["k00000"] = "word word word special"
    texts["k00003"] = "word special"
    await store.kv.put_many(texts)
    await db.spaces.enable_search("s")  # in the order of keys
    await store.kv.put("new", "word word word")

    async def found(text, **options):
        return [hit.key for hit in await store.search(text, **options)]

    assert (await found("word"))[0] == "new"
    assert set(await found("word", limit=1000)) <= {"new", *keys[6:]}
    assert set(await found("word special")) == {"k00000", "k00003"}
    assert set(await found('"word special"')) == {"k00000", "k00003"}
    assert await found("word", types=["log"]) == []
    await store.log.append("said", {"text": "word"})
    await store.kv.delete_many([*keys[6:16], "k00003"])
    assert await found("word", types=["log"]) == ["1"]
    assert (await found("word", types=["kv"]))[:2] == ["new", "k00000"]  # all are ranked again
    whole = await found("word", limit=30)
    assert [*await found("word", limit=15), *await found("word", limit=15, offset=15)] == whole


def test_the_statement_on_sqlite_names_the_space_and_binds_it():
    sql = find_in_sqlite(7).on(build_tables("sqlite"))
    assert "ramax_search_7" in sql.text
    assert sql.names.count("space_id") == 1
