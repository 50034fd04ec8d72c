import pytest

from ramax.core.codec import encode
from ramax.core.state import Tagged
from ramax.storage.reads import read_range
from ramax.storage.write_back import Renewal, replace_exactly
from tests._domains import documents, put
from tests.runtime._damage import damage

NEW = encode("new", "v")


@pytest.fixture
async def stores(db):
    made = []
    for name in ("s", "other"):
        store = await db.content_store(name, documents())
        for key in ("a", "b"):
            await store.execute(put, (key, {"of": name}))
        made.append(store)
    return made


async def test_only_the_very_bytes_that_were_read_are_replaced(db, stores):
    mine, other = (store.space.space_id for store in stores)
    old = encode({"of": "s"}, "v")

    def work(ex):
        theirs = read_range(ex, other, "", "~")
        done = replace_exactly(
            ex, mine, [Renewal("a", old, NEW), Renewal("b", b"else", NEW), Renewal("c", old, NEW)]
        )
        return done, read_range(ex, mine, "", "~"), theirs == read_range(ex, other, "", "~")

    done, found, same = await db._core.locked("a test", work)
    assert done == [Renewal("a", old, NEW)]
    assert found == {"a": NEW, "b": old}
    assert same


async def test_the_format_belongs_to_the_bytes(db, stores):
    space_id = stores[0].space.space_id
    sql = "UPDATE pstate_entities SET format = 'json', value = :v WHERE space_id = :s AND key = 'a'"
    await damage(db, sql, v=b"{}", s=space_id)

    def work(ex):
        first = replace_exactly(ex, space_id, [Renewal("a", b"{}", NEW)])
        second = replace_exactly(ex, space_id, [Renewal("a", Tagged(b"{}", "json"), NEW)])
        return first, len(second), read_range(ex, space_id, "", "~")["a"]

    assert await db._core.locked("a test", work) == ([], 1, NEW)
