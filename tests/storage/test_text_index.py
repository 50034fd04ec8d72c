"""The rows of what is searched: what they cost, and that a space without them pays nothing."""

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

import ramax
from ramax.core.codec import encode
from ramax.core.datatypes.kv import KV
from ramax.core.fulltext.documents import Searched
from ramax.core.guard import Guard
from ramax.core.space_write import SpaceWrite
from ramax.storage.text_index import read_searched, search_rows

KEY = KV.prefix + "k"
PLAIN = Guard(0, 0, 0, 0, None)
SEARCHED = PLAIN._replace(searched=Searched())


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_space_that_is_not_searched_has_no_rows(dialect):
    puts = {KEY: encode("word", "value")}
    assert search_rows(dialect, [SpaceWrite(7, PLAIN, puts=puts)]) == []
    assert search_rows(dialect, [SpaceWrite(7, SEARCHED, puts={"app": b"\xc0"})]) == []
    assert search_rows(dialect, [SpaceWrite(7, SEARCHED)]) == []


def test_a_text_is_a_row_and_its_tokens():
    write = SpaceWrite(7, SEARCHED, puts={KEY: encode("Two words two", "value")}, deletes=[KEY])
    gone, put = search_rows("postgresql", [write])
    assert gone.rows == [{"space_id": 7, "key": KEY}]
    assert put.rows[0]["tokens"] == "':7' 'k':1 'two':2,4 'words':3"
    forget, gone, put, add = search_rows("sqlite", [write])
    assert put.rows[0]["tokens"] == "k two words two"
    assert [row["key"] for row in forget.rows] == [KEY, KEY]
    assert add.rows == put.rows


async def test_what_is_searched_is_listed_by_id(db):
    for name in ("a", "b", "c"):
        await db.spaces.create(name)
    for name in ("c", "a"):
        await db.spaces.enable_search(name)
    await db.branches.create("other")
    view = db.at_branch("other")
    await view.spaces.create("d")
    await view.spaces.enable_search("d")
    found = [await db._core.read(lambda ex, b=b: read_searched(ex, b)) for b in (1, 2)]
    assert [[space.space_name for space in each] for each in found] == [["a", "c"], ["d"]]


async def test_a_very_long_text_is_kept_and_found_by_its_beginning(db):
    store = await db.content_store("s")
    await db.spaces.enable_search("s")
    words = " ".join(f"w{n}" for n in range(60_000))
    await store.kv.put("long", words)
    await store.kv.put("kanji", "漢字" * 60_000)
    assert [hit.key for hit in await store.search("w12000")] == ["long"]
    assert await store.search("w59999") == []
    assert [hit.key for hit in await store.search("漢字")] == ["kanji"]
    await store.kv.delete_many(["long", "kanji"])
    assert await store.search("w12000 OR 漢字") == []


async def test_the_tokens_of_a_space_are_sound_after_many_changes(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        store = await db.content_store("s")
        await db.spaces.enable_search("s")
        for n in range(30):
            await store.kv.put(f"k{n % 7}", f"word number{n}")
            if n % 5 == 0:
                await store.kv.delete(f"k{n % 3}")
        left = {hit.key for hit in await store.search("word", limit=100)}
        assert left == set(await store.kv.list())
    with closing(sqlite3.connect(sa.make_url(sqlite_url).database or "")) as connection:
        connection.execute("VACUUM")  # which gives rows without a key of their own new rowids
        count = f"SELECT count(*) FROM ramax_search_{store.space.space_id}_docsize"
        assert connection.execute(count).fetchone() == (len(left),)
    async with ramax.connect(sqlite_url) as db:
        store = await db.content_store("s")
        assert {hit.key for hit in await store.search("word", limit=100)} == left
