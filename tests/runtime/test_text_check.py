"""A verification finds, and names, what is wrong with an index of texts."""

import asyncio

import pytest
import sqlalchemy as sa

from ramax.core.fulltext.documents import Searched
from ramax.runtime import text_search
from ramax.runtime.findings import Findings
from ramax.runtime.text_check import TextCheck
from tests.runtime._damage import damage

KEYS = {f"k{n}": f"word number{n}" for n in range(7)}
OTHERS = "space_id = (SELECT space_id FROM spaces WHERE space_name = 's')"


async def filled(db, name="s", **options):
    store = await db.content_store(name)
    await db.spaces.enable_search(name, **options)
    await store.kv.put_many(KEYS)
    return store


async def found(db, store, page=3):
    findings = Findings()
    check = TextCheck(store.space, findings, page)
    while await db._core.read(check.compare_page):
        pass
    assert {each.check for each in findings.named} <= {"search"}
    return sorted(each.message for each in findings.named)


@pytest.fixture
async def store(db):
    await filled(db, "other")
    return await filled(db)


@pytest.mark.parametrize("page", [1, 7, 100])
async def test_a_true_index_is_found_to_be_so(db, store, page):
    await store.kv.put("long", "word " * 200 + "ÜBER 東京")
    await store.kv.put("empty", "—")
    await store.log.append("note", {"text": "word"})
    await store.kv.delete("k3")
    assert await found(db, store, page) == []
    await db.spaces.disable_search("s")
    assert await found(db, store, page) == []
    await db.spaces.enable_search("s", types=["log"])
    assert await found(db, store, page) == []


async def key_of(db, store, name):
    async with db.connection() as connection:
        rows = await connection.execute(
            sa.text("SELECT key FROM search_documents WHERE space_id = :s AND key LIKE :k"),
            {"s": store.space.space_id, "k": f"%{name}"},
        )
        return rows.scalar_one()


async def test_a_missing_a_stale_and_a_foreign_text_are_named(db, store):
    keys = {name: await key_of(db, store, name) for name in ("k1", "k2", "k4")}
    await damage(db, f"DELETE FROM search_documents WHERE {OTHERS} AND key = :k", k=keys["k1"])
    await damage(
        db,
        f"UPDATE search_documents SET text = 'old' WHERE {OTHERS} AND key = :k",
        k=keys["k2"],
    )
    await damage(db, f"DELETE FROM pstate_entities WHERE {OTHERS} AND key = :k", k=keys["k4"])
    expected = [
        f"the index has a text of {keys['k4']!r}, which is not there to be searched",
        f"the index has another text of {keys['k2']!r} than is stored",
        f"the index has no text of {keys['k1']!r}",
    ]
    messages = await found(db, store)
    assert [each for each in messages if "of a row" not in each] == sorted(expected)
    [report] = [each async for each in db.verify("s")]
    assert {each.message for each in report.findings} >= set(expected)
    assert {each.check for each in report.findings} == {"search"}
    [other] = [each async for each in db.verify("other")]
    assert other.ok


async def test_words_that_do_not_find_their_text_are_named(db, store):
    key = await key_of(db, store, "k5")
    change = f"UPDATE search_documents SET tokens = 'other' WHERE {OTHERS} AND key = :k"
    await damage(db, change, k=key)
    assert await found(db, store) == [f"{key!r} is not found by its words"]


async def test_on_sqlite_the_table_of_words_is_asked(db_on_sqlite):
    store = await filled(db_on_sqlite)
    table = f"ramax_search_{store.space.space_id}"
    key = await key_of(db_on_sqlite, store, "k6")
    only = "FROM search_documents WHERE key = :k"
    forget = f"INSERT INTO {table}({table}, rowid, tokens) SELECT 'delete', document_id, tokens"
    await damage(db_on_sqlite, f"{forget} {only}", k=key)
    assert await found(db_on_sqlite, store) == [f"{key!r} is not found by its words"]
    other = f"INSERT INTO {table}(rowid, tokens) SELECT document_id, 'k6 word numberx'"
    await damage(db_on_sqlite, f"{other} {only}", k=key)  # as many words, but others
    assert await found(db_on_sqlite, store) == [f"{key!r} is not found by its words"]
    await store.rebuild_pstate()
    await damage(db_on_sqlite, f"INSERT INTO {table}(rowid, tokens) VALUES (999, 'ghost')")
    assert await found(db_on_sqlite, store) == [
        "the index has words of a row 999, which has no text"
    ]
    async with db_on_sqlite.connection() as connection, connection.begin():
        await connection.exec_driver_sql(f"DROP TABLE {table}")
    assert await found(db_on_sqlite, store) == ["the table of its words is not there"]


async def test_a_rebuild_mends_what_was_found(db, store):
    await damage(db, f"UPDATE search_documents SET text = 'old', type = 'x' WHERE {OTHERS}")
    assert len(await found(db, store)) == len(KEYS)
    await store.rebuild_pstate()
    assert await found(db, store) == []


async def test_a_value_that_cannot_be_read_is_named(db, store):
    key = await key_of(db, store, "k1")
    change = f"UPDATE pstate_entities SET value = :v WHERE {OTHERS} AND key = :k"
    await damage(db, change, k=key, v=b"\xc1")
    messages = await found(db, store)
    assert any(each.startswith(f"{key!r} has no value that can be read") for each in messages)


async def test_texts_of_a_space_that_is_not_searched_are_named(db, store):
    await damage(db, f"UPDATE spaces SET searched = NULL WHERE {OTHERS}")
    messages = await found(db, store)
    assert len(messages) == len(KEYS)
    assert all("which is not there to be searched" in each for each in messages)


async def test_an_index_that_is_being_made_is_not_looked_at(db):
    store = await db.content_store("s")
    await store.kv.put_many(KEYS)
    filling = text_search._Filling(store.space, Searched(), 10)
    await db._core.locked("test", filling.begin)
    assert await found(db, store) == []


async def test_writes_beside_it_are_no_finding(db, store):
    async def write() -> None:
        for n in range(40):
            await store.kv.put(f"k{n % 9}", f"word changed{n}")
            await store.kv.delete(f"k{(n + 3) % 9}")

    writing = asyncio.create_task(write())
    while not writing.done():
        assert await found(db, store) == []
    await writing
    assert await found(db, store) == []
