"""pgvector finds what the comparison in memory finds, and follows everybody who writes."""

import asyncio

import numpy as np
import pytest

import ramax
from ramax.datatypes import vector_memory, vector_server, vectors
from ramax.errors import CollectionNotFoundError, MisuseError
from tests._each import each
from tests.datatypes._pgvector import with_pgvector

pytestmark = pytest.mark.postgres
FILTERS = (
    None,
    {"field": "n", "op": "lt", "value": 8},
    {"field": "even", "op": "eq", "value": True},
    {"field": "n", "op": "eq", "value": -1},
)


@pytest.fixture
async def url(postgres_url):
    return await with_pgvector(postgres_url)


@pytest.fixture
async def db(url):
    async with ramax.connect(url, pgvector=True) as db:
        yield db


@pytest.fixture
async def store(db):
    return await db.content_store("acme")


@pytest.fixture
def nowhere_else(monkeypatch):
    """Nothing may be compared in the memory of the process."""

    async def refused(*_):
        raise AssertionError

    monkeypatch.setattr(vectors, "current_matrix", refused)


async def keys(store, vector, k=9, **more):
    return [m.key for m in await store.vectors.search("c", vector, k, **more)]


def many(count=120, seed=4):
    """Vectors of few different numbers: some are equal, some are nothing at all."""
    rows = np.random.default_rng(seed).integers(-2, 3, (count, 3)).astype("f4")
    return [(f"k{n:03}", row, {"n": n, "even": n % 2 == 0}) for n, row in enumerate(rows)]


@each("metric", ["cosine", "euclidean", "dot_product"])
async def test_it_finds_what_a_comparison_with_each_finds(url, metric, monkeypatch):
    async with ramax.connect(url, pgvector=True) as one, ramax.connect(url) as other:
        here, there = await one.content_store(metric[:3]), await other.content_store(metric[:3])
        await here.vectors.create_collection("c", 3, metric)
        await here.vectors.upsert_many("c", many())
        for _, wanted, _ in many(12, seed=5):
            for k, test in zip((1, 7, 40, 500), FILTERS, strict=True):
                found = await here.vectors.search("c", wanted, k, test)
                expected = await there.vectors.search("c", wanted, k, test)
                assert [m.key for m in found] == [m.key for m in expected]
                assert [m.score for m in found] == pytest.approx([m.score for m in expected])
                assert [m.metadata for m in found] == [m.metadata for m in expected]


async def test_nothing_is_compared_in_memory_and_another_process_is_followed(url, nowhere_else):
    async with ramax.connect(url, pgvector=True) as one, ramax.connect(url) as other:
        here, there = await one.content_store("acme"), await other.content_store("acme")
        await here.vectors.create_collection("c", 2)
        assert await keys(here, [1, 0]) == []
        for n in range(3):
            await there.vectors.upsert("c", f"k{n}", [1, n])
            assert await keys(here, [1, 0]) == [f"k{i}" for i in range(n + 1)]
        await there.vectors.upsert("c", "k0", [-1, 0])
        await there.vectors.delete("c", "k1")
        assert await keys(here, [1, 0]) == ["k2", "k0"]
        await there.vectors.delete_collection("c")
        with pytest.raises(CollectionNotFoundError):
            await keys(here, [1, 0])
        await there.vectors.create_collection("c", 3, "dot_product")
        await there.vectors.upsert("c", "new", [1, 0, 0])
        assert await keys(here, [1, 0, 0]) == ["new"]


async def test_many_changes_are_copied_anew(store, monkeypatch, nowhere_else):
    monkeypatch.setattr(vector_memory, "_FEW", 3)
    monkeypatch.setattr(vector_server, "PAGE", 7)
    await store.vectors.create_collection("c", 3, "euclidean")
    for count, seed in ((5, 1), (40, 2)):
        await store.vectors.upsert_many("c", many(count, seed))
        _, wanted, _ = many(count, seed)[-1]
        assert len(await keys(store, wanted, 100)) == count
        equal = await store.vectors.search("c", wanted, 1)
        assert equal[0].score == 1


async def test_a_deleted_collection_leaves_no_copies_and_other_spaces_keep_theirs(db):
    for name, at in (("a", [1, 0]), ("b", [0, 1])):
        store = await db.content_store(name)
        await store.vectors.create_collection("c", 2)
        await store.vectors.upsert("c", f"of-{name}", at)
        await store.vectors.upsert("c", "same", at)
    a, b = await db.content_store("a"), await db.content_store("b")
    assert await keys(a, [1, 0]) == ["of-a", "same"]
    assert await keys(b, [1, 0]) == ["of-b", "same"]
    assert await copies(db) == {a.space.space_id: 2, b.space.space_id: 2}
    await a.vectors.delete_collection("c")
    assert await copies(db) == {b.space.space_id: 2}
    await db.spaces.delete("b", force=True)
    assert await copies(db) == {}


async def copies(db):
    async with db.engine.connect() as connection:
        query = "SELECT space_id, count(*) FROM vector_rows GROUP BY space_id"
        return {row[0]: row[1] for row in await connection.exec_driver_sql(query)}


async def test_forks_rebuilds_and_transactions_see_their_own(db):
    store = await db.content_store("acme")
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert("c", "a", [1, 0])
    assert await keys(store, [1, 0]) == ["a"]
    await db.branches.fork("main", "side")
    there = await db.at_branch("side").content_store("acme")
    assert await keys(there, [1, 0]) == ["a"]
    await there.vectors.upsert("c", "b", [1, 0])
    assert await keys(there, [1, 0]) == ["a", "b"]
    await store.rebuild_pstate()
    assert await keys(store, [1, 0]) == ["a"]
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.vectors.upsert("c", "mine", [1, 0])
            assert [m.key for m in await tx.vectors.search("c", [1, 0])] == ["a", "mine"]
            raise RuntimeError
    assert await keys(store, [1, 0]) == ["a"]
    await store.vectors.delete("c", "a")
    assert [m.key for m in await store.as_of(2).vectors.search("c", [1, 0])] == ["a"]


async def test_vectors_that_32_bits_do_not_square_are_compared_in_memory(store):
    await store.vectors.create_collection("c", 2, "dot_product")
    await store.vectors.upsert("c", "long", [1e30, 0])
    await store.vectors.upsert("c", "short", [1, 0])
    assert await keys(store, [1e30, 0]) == ["long", "short"]
    assert await keys(store, [-1, 0]) == ["short", "long"]
    await store.vectors.delete("c", "long")
    await store.vectors.upsert("c", "other", [2, 0])
    assert await keys(store, [1, 0]) == ["other", "short"]


async def test_writers_and_searches_at_once(store, nowhere_else):
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert_many("c", [(f"m{n:03}", [0, 1], None) for n in range(300)])
    writes = [store.vectors.upsert("c", f"w{n}", [1, 0]) for n in range(10)]
    searches = [keys(store, [1, 0], 50) for _ in range(5)]
    await asyncio.gather(*writes, *searches)
    assert await keys(store, [1, 0], 11) == [*sorted(f"w{n}" for n in range(10)), "m000"]


async def test_a_vector_that_is_deleted_in_between_is_not_found_and_hides_no_other(
    store, monkeypatch, nowhere_else
):
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert_many("c", [("a", [1, 0], None), ("b", [1, 1], None)])
    near, gone = vector_server.ServerSide._near, list[bool]()

    async def slow(self, *given):
        if not gone:
            gone.append(await store.vectors.delete("c", "a"))
        return await near(self, *given)

    monkeypatch.setattr(vector_server.ServerSide, "_near", slow)
    assert await keys(store, [1, 0], 1) == ["b"]


async def test_who_may_only_read_uses_copies_that_are_true_and_memory_else(url, monkeypatch):
    async with ramax.connect(url, pgvector=True) as db:
        store = await db.content_store("acme")
        await store.vectors.create_collection("c", 2)
        await store.vectors.upsert("c", "a", [1, 0])
        async with ramax.connect(url, pgvector=True, read_only=True) as reading:
            there = await reading.content_store("acme", create=False)
            assert await keys(there, [1, 0]) == ["a"]
            assert await copies(db) == {}
            assert await keys(store, [1, 0]) == ["a"]
            with monkeypatch.context() as patched:
                patched.delattr(vectors, "current_matrix")
                assert await keys(there, [1, 0]) == ["a"]


async def test_a_database_without_the_extension_says_what_to_run(postgres_url):
    async with ramax.connect(postgres_url, pgvector=True) as db:
        store = await db.content_store("acme")
        await store.vectors.create_collection("c", 2)
        await store.vectors.upsert("c", "a", [1, 0])
        with pytest.raises(MisuseError, match="CREATE EXTENSION vector"):
            await keys(store, [1, 0])
        await store.vectors.create_collection("near", 2, index="approximate")
        assert await store.vectors.search("near", [1, 0]) == []


@pytest.mark.parametrize("target", ["sqlite://", None])
async def test_sqlite_has_none(target):
    with pytest.raises(MisuseError, match="PostgreSQL"):
        async with ramax.connect(target, pgvector=True):
            pass


async def test_copies_whose_place_is_deleted_are_made_anew(db, store):
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert("c", "a", [1, 0])
    assert await keys(store, [1, 0]) == ["a"]
    async with db.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE vector_rows SET key = 'lost'")
        await connection.exec_driver_sql("DELETE FROM vector_copies")
    assert await keys(store, [1, 0]) == ["a"]
    assert await copies(db) == {store.space.space_id: 1}
