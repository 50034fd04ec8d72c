import pytest

from ramax.errors import JsonPathError, PatchTestError
from tests.entry.operations._calls import call


async def test_json_documents(db):
    assert (await call(db, "json_set", key="d", value={"n": 1}))["version"] == 1
    await call(db, "json_set", key="d", value=[1, 2], path="$.l")
    await call(db, "json_merge", key="d", patch={"m": {"x": 1}})
    await call(db, "json_patch", key="d", operations=[{"op": "remove", "path": "/n"}])
    with pytest.raises(PatchTestError):
        await call(db, "json_patch", key="d", operations=[{"op": "test", "path": "/m", "value": 1}])
    assert await call(db, "json_get", key="d") == {
        "found": True,
        "value": {"l": [1, 2], "m": {"x": 1}},
    }
    assert await call(db, "json_get", key="d", path="$.l[5]") == {"found": False, "value": None}
    assert await call(db, "json_query", key="d", path="$.l[*]") == {"values": [1, 2]}
    assert (await call(db, "json_cas", key="e", value={"m": {"x": 2}}))["version"] == 1
    assert await call(db, "json_create_index", field="$.m.x") == {"created": True}
    assert await call(db, "json_indexes") == {"fields": ["$.m.x"]}
    found = await call(db, "json_find", field="$.m.x", op="gt", value=1)
    assert found == {"documents": [{"key": "e", "value": {"m": {"x": 2}}}]}
    assert await call(db, "json_drop_index", field="$.m.x") == {"dropped": True}
    assert await call(db, "json_list") == {"keys": ["d", "e"]}
    assert await call(db, "json_count", prefix="d") == {"count": 1}
    assert await call(db, "json_delete", key="d", path="$.l") == {"deleted": True}
    assert [v["version"] for v in (await call(db, "json_history", key="d"))["versions"]] == [
        5,
        4,
        3,
        2,
        1,
    ]
    with pytest.raises(JsonPathError):
        await call(db, "json_get", key="d", path="$..x")
