"""Trees by name: what `Database.call`, the command line and tools for agents do with them."""

import pytest

from ramax.errors import DataError, TreeCycleError


async def test_a_tree_is_made_read_and_changed_by_name(db):
    async def ask(what, **given):
        return await db.call({"type": f"tree_{what}", "tree": "t", **given})

    made = await ask("create", properties={"title": "A"})
    node = made["node"]
    await ask("create", parent=node, node="b")
    await ask("create", parent=node, node="c", before="b")
    assert [each["node"] for each in (await ask("children", node=node))["nodes"]] == ["c", "b"]
    assert (await ask("get", node=node))["found"]["properties"] == {"title": "A"}
    assert await ask("get", node="never") == {"found": None}
    with pytest.raises(TreeCycleError):
        await ask("move", node=node, parent="b")
    await ask("move", node="b", parent="root")
    assert await ask("path", node="b") == {"path": ["root", "b"]}
    await ask("set", node="b", properties={"x": 1})
    await ask("unset", node="b", names=["x"])
    await ask("rename", node="b", name="B")
    assert (await ask("get", node="b"))["found"]["properties"] == {"name": "B"}
    assert await ask("delete", node=node) == {"deleted": True}
    assert await ask("restore", node=node) == {"restored": True}
    assert await ask("count") == {"count": 3}
    with pytest.raises(DataError):
        await ask("create", node="a/b")
