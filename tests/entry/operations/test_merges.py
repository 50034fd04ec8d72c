import json

import pytest

from ramax.errors import DataError, MergeConflictError
from tests.entry.operations._calls import call


@pytest.fixture
async def forked(db):
    await call(db, "kv_put", key="k", value=0, space="a")
    await db.branches.fork("main", "test")
    store = await db.at_branch("test").content_store("a")
    await store.kv.put("k", 1)
    return db


async def test_a_diff_is_plain_json(forked):
    found = await call(forked, "branch_diff", left="main", right="test", values=True)
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "left": "main",
        "right": "test",
        "same": False,
        "spaces": [
            {
                "space": "a",
                "keys": [{"type": "kv", "key": "k", "kind": "changed", "old": 0, "new": 1}],
                "left": {"events": 0, "by_type": {}, "by_entity": {}},
                "right": {"events": 1, "by_type": {"kv": 1}, "by_entity": {"k": 1}},
                "behind": [],
            }
        ],
        "only_left": [],
        "only_right": [],
        "unchanged": 0,
    }


async def test_branches_are_merged_by_name(forked):
    preview = await call(forked, "branch_preview_merge", source="test")
    assert preview["spaces"] == [{"space": "a", "copied": 1, "made": 0, "conflicts": []}]
    done = await call(forked, "branch_merge", source="test", into="main")
    assert done["spaces"] == [
        {"space": "a", "copied": 1, "made": 0, "kept": [], "taken": [], "space_sequence": 2}
    ]
    assert await call(forked, "kv_get", key="k", space="a") == {"found": True, "value": 1}
    again = await call(forked, "branch_merge", source="test")
    assert (again["spaces"], again["unchanged"]) == ([], 1)


async def test_conflicts_are_described(forked):
    await call(forked, "kv_put", key="k", value=2, space="a")
    preview = await call(forked, "branch_preview_merge", source="test")
    conflict: dict[str, object] = {
        "space": "a",
        "type": "kv",
        "name": "k",
        "part": None,
        "paths": [],
    }
    assert preview["spaces"][0]["conflicts"] == [conflict]
    with pytest.raises(MergeConflictError):
        await call(forked, "branch_rebase", branch="test")
    done = await call(forked, "branch_rebase", branch="test", onto="main", on_conflict="theirs")
    assert done["spaces"][0]["taken"] == [conflict]


async def test_entities_are_promoted_by_name(forked):
    await call(forked, "spaces_create", space="b")
    done = await call(forked, "spaces_promote", source="a", target="b", data={"kv": ["k"]})
    assert (done["space"], done["copied"]) == ("b", 1)
    assert await call(forked, "kv_get", key="k", space="b") == {"found": True, "value": 0}
    with pytest.raises(DataError):
        await call(forked, "spaces_promote", source="a", target="b")
