import pytest

from ramax.errors import VectorError
from tests.entry.operations._calls import call


async def test_vectors(db):
    await call(db, "vectors_create_collection", collection="c", dimension=2, metric="euclidean")
    await call(db, "vectors_upsert", collection="c", key="a", vector=[1, 0], metadata={"l": "en"})
    await call(
        db,
        "vectors_upsert_many",
        collection="c",
        vectors=[{"key": "b", "vector": [0, 1]}, {"key": "d", "vector": [1, 1], "metadata": {}}],
    )
    assert await call(db, "vectors_list_collections") == {
        "collections": [
            {"name": "c", "dimension": 2, "metric": "euclidean", "count": 3, "index": "exact"}
        ]
    }
    await call(db, "vectors_create_collection", collection="d", dimension=2, index="approximate")
    [_, made] = (await call(db, "vectors_list_collections"))["collections"]
    assert made["index"] == "approximate"
    assert await call(db, "vectors_get", collection="c", key="a") == {
        "found": True,
        "vector": [1.0, 0.0],
        "metadata": {"l": "en"},
    }
    assert (await call(db, "vectors_get", collection="c", key="x"))["found"] is False
    wanted = {"field": "l", "op": "eq", "value": "en"}
    found = await call(db, "vectors_search", collection="c", vector=[1, 0], k=2, filter=wanted)
    assert found == {"matches": [{"key": "a", "score": 1.0, "metadata": {"l": "en"}}]}
    assert await call(db, "vectors_list", collection="c", limit=1) == {"keys": ["a"]}
    assert await call(db, "vectors_delete", collection="c", key="b") == {"deleted": True}
    assert await call(db, "vectors_count", collection="c") == {"count": 2}
    for wrong in ([5], [{"key": "a"}], [{"key": "a", "vector": [1, 0], "x": 1}]):
        with pytest.raises(VectorError):
            await call(db, "vectors_upsert_many", collection="c", vectors=wrong)
    assert await call(db, "vectors_delete_collection", collection="c") == {"deleted": True}
