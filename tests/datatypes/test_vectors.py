"""Collections of vectors: what goes in, what is found, what is refused."""

from array import array

import numpy as np
import pytest

from ramax import Commit, DataError
from ramax.datatypes import Collection, Vector, VectorMatch
from ramax.datatypes.vectors import packed
from ramax.errors import CollectionExistsError, CollectionNotFoundError, VectorError
from tests._each import each


@pytest.fixture
async def words(store):
    await store.vectors.create_collection("words", 3)
    await store.vectors.upsert_many(
        "words",
        [
            ("one", [1, 0, 0], {"lang": "en", "n": 1}),
            ("eins", [0.9, 0.1, 0], {"lang": "de", "n": 1}),
            ("two", [0, 1, 0], {"lang": "en", "n": 2}),
            ("odd", [0, 0, 1], None),
        ],
    )
    return store


async def test_collections_are_made_listed_and_deleted(store):
    assert isinstance(await store.vectors.create_collection("b", 2, "euclidean"), Commit)
    await store.vectors.create_collection("a", 3)
    assert await store.vectors.list_collections() == [
        Collection("a", 3, "cosine", 0),
        Collection("b", 2, "euclidean", 0),
    ]
    with pytest.raises(CollectionExistsError) as caught:
        await store.vectors.create_collection("a", 3)
    assert caught.value.code == "exists.collection"
    assert await store.vectors.delete_collection("a") is True
    assert await store.vectors.delete_collection("a") is False
    assert await store.vectors.collection("a") is None
    assert (await store.vectors.collection("b")).dimension == 2


async def test_a_collection_is_exact_unless_it_may_miss_some(store):
    for name, more in (("a", {}), ("b", {"index": "exact"}), ("c", {"index": "approximate"})):
        await store.vectors.create_collection(name, 2, **more)
        await store.vectors.upsert(name, "k", [1, 0])
    assert [(c.name, c.index) for c in await store.vectors.list_collections()] == [
        ("a", "exact"),
        ("b", "exact"),
        ("c", "approximate"),
    ]
    stored = {key: len(row) async for key, row in store.vectors._part.under("c/")}
    assert stored == {"c/a": 6, "c/b": 6, "c/c": 7}  # as before there was a choice
    await store.rebuild_pstate()
    assert (await store.vectors.collection("c")).index == "approximate"
    assert [m.key for m in await store.vectors.search("c", [1, 0])] == ["k"]


async def test_a_vector_is_stored_with_its_metadata(words):
    assert await words.vectors.get("words", "one") == Vector(
        "one", [1.0, 0.0, 0.0], {"lang": "en", "n": 1}
    )
    assert await words.vectors.get("words", "none") is None
    found = await words.vectors.get_many("words", ["two", "none", "one"])
    assert list(found) == ["two", "one"]
    assert await words.vectors.count("words") == 4
    assert await words.vectors.list("words") == ["eins", "odd", "one", "two"]
    assert await words.vectors.list("words", "o", limit=1, after="odd") == ["one"]
    await words.vectors.upsert("words", "one", [0, 0, 1])
    assert await words.vectors.get("words", "one") == Vector("one", [0.0, 0.0, 1.0], None)
    assert await words.vectors.count("words") == 4


async def test_vectors_are_deleted(words):
    assert await words.vectors.delete("words", "one") is True
    assert await words.vectors.delete("words", "one") is False
    gone = await words.vectors.delete_many("words", ["two", "none", "two"])
    assert len(gone.events) == 1
    assert await words.vectors.list("words") == ["eins", "odd"]
    assert await words.vectors.count("words") == 2


async def test_the_nearest_are_found_best_first(words):
    found = await words.vectors.search("words", [1, 0, 0], k=2)
    assert [m.key for m in found] == ["one", "eins"]
    assert found[0] == VectorMatch("one", 1.0, {"lang": "en", "n": 1})
    assert [m.key for m in await words.vectors.search("words", [1, 0, 0], k=99)] == [
        "one",
        "eins",
        "odd",
        "two",
    ]
    english = {"field": "lang", "op": "eq", "value": "en"}
    assert [m.key for m in await words.vectors.search("words", [1, 0, 0], 2, english)] == [
        "one",
        "two",
    ]
    both = {"and": [english, {"field": "n", "op": "gt", "value": 1}]}
    assert [m.key for m in await words.vectors.search("words", [1, 0, 0], filter=both)] == ["two"]


@pytest.mark.parametrize(
    ("metric", "scores"),
    [("cosine", [1.0, 0.0]), ("euclidean", [0.5, 0.2612]), ("dot_product", [2.0, 0.0])],
)
async def test_scores_are_those_of_the_metric(db, metric, scores):
    store = await db.content_store("acme")
    await store.vectors.create_collection("c", 2, metric)
    await store.vectors.upsert_many("c", [("a", [2, 0], None), ("b", [0, 2.6458], None)])
    found = await store.vectors.search("c", [1, 0])
    assert [m.key for m in found] == ["a", "b"]
    assert [m.score for m in found] == pytest.approx(scores, abs=1e-4)


async def test_any_sequence_of_numbers_is_a_vector(store):
    await store.vectors.create_collection("c", 2)
    given = {
        "list": [1, 2],
        "tuple": (1, 2),
        "array": array("d", [1, 2]),
        "numpy": np.array([1, 2], dtype="f8"),
        "half": np.array([1, 2], dtype="f2"),
    }
    await store.vectors.upsert_many("c", [(k, v, None) for k, v in given.items()])
    for key in given:
        assert (await store.vectors.get("c", key)).vector == [1.0, 2.0]
    assert len(await store.vectors.search("c", np.array([1, 2]), 9)) == 5


@each(
    "wrong",
    [
        [float("nan"), 0, 0],
        [float("inf"), 0, 0],
        [1e39, 0, 0],
        "abc",
        b"abc",
        None,
        5,
        ["a"],
        [[1, 2, 3]],
        {"a": 1},
        [None, 1, 2],
        np.array([[1.0, 2.0, 3.0]]),
    ],
)
async def test_what_is_no_vector_is_refused_and_nothing_written(words, wrong):
    before = await words.events.get_space_latest_sequence()
    for attempt in (
        lambda: words.vectors.upsert("words", "x", wrong),
        lambda: words.vectors.search("words", wrong),
    ):
        with pytest.raises(VectorError) as caught:
            await attempt()
        assert caught.value.code == "data.vector"
    assert await words.events.get_space_latest_sequence() == before


async def test_another_dimension_is_refused_and_the_whole_batch_with_it(words):
    before = await words.events.get_space_latest_sequence()
    for wrong in ([], [1, 2], [1, 2, 3, 4]):
        with pytest.raises(VectorError, match="3 numbers"):
            await words.vectors.upsert_many("words", [("ok", [1, 2, 3], None), ("x", wrong, None)])
        with pytest.raises(VectorError, match="3 numbers"):
            await words.vectors.search("words", wrong)
    assert await words.events.get_space_latest_sequence() == before
    assert await words.vectors.get("words", "ok") is None


async def test_what_cannot_be_is_refused(words):
    vectors = words.vectors
    for attempt in (
        lambda: vectors.create_collection("x", 0),
        lambda: vectors.create_collection("x", 65_537),
        lambda: vectors.create_collection("x", True),
        lambda: vectors.create_collection("x", 3, "manhattan"),
        lambda: vectors.create_collection("x", 3, index="hnsw"),
        lambda: vectors.create_collection("x", 3, index=None),
        lambda: vectors.create_collection("X", 3),
        lambda: vectors.create_collection("", 3),
        lambda: vectors.create_collection("a" * 65, 3),
        lambda: vectors.create_collection(None, 3),
        lambda: vectors.search("words", [1, 0, 0], 0),
        lambda: vectors.search("words", [1, 0, 0], 10_001),
        lambda: vectors.search("words", [1, 0, 0], filter={"x": 1}),
        lambda: vectors.upsert_many("words", 5),
        lambda: vectors.upsert_many("words", {"a": [1, 2, 3]}),
        lambda: vectors.upsert_many("words", [("a",)]),
        lambda: vectors.upsert("words", "a", [1, 2, 3], 5),
    ):
        with pytest.raises(VectorError):
            await attempt()
    with pytest.raises(DataError):
        await vectors.upsert("words", "", [1, 2, 3])
    for attempt in (
        lambda: vectors.upsert("none", "a", [1]),
        lambda: vectors.get("none", "a"),
        lambda: vectors.delete("none", "a"),
        lambda: vectors.list("none"),
        lambda: vectors.count("none"),
        lambda: vectors.search("none", [1]),
    ):
        with pytest.raises(CollectionNotFoundError) as caught:
            await attempt()
        assert caught.value.code == "not_found.collection"


def test_vectors_are_little_endian_whatever_the_machine():
    assert packed([1.0, -2.5], "v").hex() == "0000803f000020c0"
