import pytest

from ramax.errors import SearchDisabledError
from tests.entry.operations._calls import call


async def test_a_space_is_made_searchable_and_searched(db):
    await call(db, "kv_put", key="k", value="green tea", space="a")
    with pytest.raises(SearchDisabledError):
        await call(db, "search_text", text="tea", space="a")
    assert await call(db, "spaces_enable_search", space="a") == {"searched": True}
    await call(db, "json_set", key="d", value={"drink": "tea"}, space="a")
    found = await call(db, "search_text", text="tea", space="a", limit=5)
    assert {(hit["type"], hit["key"]) for hit in found["hits"]} == {("kv", "k"), ("json", "d")}
    assert set(found["hits"][0]) == {"space", "type", "key", "snippet", "score"}
    found = await call(db, "search_text", text="tea", types=["json"], space="a")
    assert [hit["key"] for hit in found["hits"]] == ["d"]
    assert await call(db, "spaces_disable_search", space="a") == {"searched": False}
    with pytest.raises(SearchDisabledError):
        await call(db, "search_text", text="tea", space="a")


async def test_a_vector_is_fused_in(db):
    await call(db, "spaces_enable_search", space="default", fields={"note:": ["text"]})
    await call(db, "vectors_create_collection", collection="v", dimension=2)
    await call(db, "vectors_upsert", collection="v", key="near", vector=[1, 0])
    found = await call(db, "search_text", text="nothing", collection="v", vector=[1, 0])
    assert [(hit["type"], hit["key"]) for hit in found["hits"]] == [("vectors", "near")]
