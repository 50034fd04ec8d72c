"""``store.tree``: nodes under each other, moved at once in two places without a cycle."""

import pytest

from ramax.core.codec import encode
from ramax.errors import (
    DataError,
    MergeConflictError,
    NodeExistsError,
    NodeNotFoundError,
    TreeCycleError,
)
from ramax.sync.directory import Directory
from ramax.testing.records import record
from tests._counting import counted


@pytest.fixture
async def tree(db):
    return (await db.content_store("notes")).tree("outline")


async def ids(nodes) -> list[str]:
    return [each.node for each in await nodes]


async def test_a_tree_is_there_and_empty(tree):
    assert await tree.children() == []
    assert await tree.count() == 0
    assert await tree.get("a") is None
    assert await tree.path("a") == []


async def test_nodes_have_parents_properties_and_an_order(tree):
    a = (await tree.create(properties={"title": "A"})).node
    b = (await tree.create(node="b")).node
    await tree.create(a, node="a1")
    await tree.create(node="c", before=b)
    await tree.create(node="d", first=True)
    await tree.create(node="e", after=b)
    assert await ids(tree.children()) == ["d", a, "c", "b", "e"]
    assert await ids(tree.children(limit=2, after="d")) == [a, "c"]
    assert (await tree.get(a)).properties == {"title": "A"}
    assert await tree.path("a1") == ["root", a, "a1"]
    assert await tree.count() == 6
    assert [each.node async for each in tree.walk()] == ["d", a, "a1", "c", "b", "e"]
    assert [each.node async for each in tree.walk(depth=1)] == ["d", a, "c", "b", "e"]


async def test_a_node_moves_with_what_is_under_it(tree):
    for node, parent in (("a", "root"), ("b", "root"), ("a1", "a"), ("a2", "a1")):
        await tree.create(parent, node=node)
    await tree.move("a1", "b")
    assert await tree.path("a2") == ["root", "b", "a1", "a2"]
    await tree.move("b", "root", first=True)
    assert await ids(tree.children()) == ["b", "a"]


async def test_nothing_is_moved_under_itself(tree):
    await tree.create(node="a")
    await tree.create("a", node="b")
    await tree.create("b", node="c")
    for parent in ("a", "b", "c"):
        with pytest.raises(TreeCycleError) as caught:
            await tree.move("a", parent)
        assert (caught.value.node, caught.value.parent) == ("a", parent)
    assert await tree.path("c") == ["root", "a", "b", "c"]


async def test_what_is_not_there_is_said_to_be_that(tree):
    await tree.create(node="a")
    for call in (
        tree.create("gone"),
        tree.create(before="gone"),
        tree.move("gone", "root"),
        tree.move("a", "gone"),
        tree.set("gone", {"x": 1}),
        tree.restore("gone"),
    ):
        with pytest.raises(NodeNotFoundError, match="gone"):
            await call
    with pytest.raises(NodeExistsError):
        await tree.create(node="a")
    for bad in ({"node": "root"}, {"node": "a/b"}, {"node": ""}, {"first": True, "after": "a"}):
        with pytest.raises(DataError):
            await tree.create(**bad)
    assert await tree.count() == 1


async def test_what_is_deleted_can_be_restored_with_all_under_it(tree):
    await tree.create(node="a")
    await tree.create("a", node="b", properties={"x": 1})
    assert await tree.delete("a")
    assert not await tree.delete("a")
    assert not await tree.delete("b")
    assert await tree.children() == []
    assert await ids(tree.trash()) == ["a"]
    assert (await tree.get("a")).deleted
    with pytest.raises(NodeNotFoundError):
        await tree.create("b")
    assert await tree.restore("a")
    assert not await tree.restore("a")
    assert await tree.path("b") == ["root", "a", "b"]
    assert (await tree.get("b")).properties == {"x": 1}


async def test_a_node_of_a_deleted_parent_is_moved_to_come_back(tree):
    await tree.create(node="a")
    await tree.create("a", node="b")
    await tree.delete("b")
    await tree.delete("a")
    with pytest.raises(NodeNotFoundError):
        await tree.restore("b")
    await tree.move("b", "root")
    assert await ids(tree.children()) == ["b"]


async def test_properties_are_set_one_by_one(tree):
    await tree.create(node="a", properties={"x": 1, "y": 2})
    await tree.set("a", {"y": 3, "z": None})
    await tree.unset("a", ["x", "never"])
    assert (await tree.get("a")).properties == {"y": 3, "z": None}
    assert not (await tree.unset("a", ["x"])).events
    await tree.unset("a", ["y", "z"])
    assert (await tree.get("a")).properties == {}
    assert len(await tree.history()) == 4


async def test_a_node_is_called_something(tree):
    await tree.create(node="a", properties={"x": 1})
    assert (await tree.get("a")).name is None
    await tree.rename("a", "Åska")
    await tree.rename("a", "Åska 2")
    assert (await tree.get("a")).name == "Åska 2"
    assert (await tree.get("a")).properties == {"x": 1, "name": "Åska 2"}
    for bad in ("", None, 5):
        with pytest.raises(DataError, match="name"):
            await tree.rename("a", bad)
    with pytest.raises(NodeNotFoundError):
        await tree.rename("gone", "x")


async def test_a_tree_may_be_deeper_than_python_can_call(db):
    """Another replica built it from below, so that it is quick to fold."""
    levels = 5_000 if "memory" in str(db.engine.url) else 1_200
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest(chain(levels))
    tree = store.tree("deep")
    walked = [each.node async for each in tree.walk()]
    assert walked == [f"n{level}" for level in range(1, levels + 1)]
    assert [each.node async for each in tree.walk("n5", depth=2)] == ["n6", "n7"]
    bottom = walked[-1]
    await tree.create(bottom, node="end")
    with pytest.raises(TreeCycleError):
        await tree.move("n1", "end")
    assert len(await tree.path("end")) == levels + 2
    assert await tree.delete("n1")
    assert not await tree.delete("end")
    assert [each async for each in tree.walk()] == []
    assert await tree.restore("n1")
    await tree.move("end", "root")
    assert await tree.path("end") == ["root", "end"]


def chain(levels):
    """Records of nodes under each other, the lowest made first."""
    return [
        record(
            b"1" * 16,
            seq,
            event_type="ramax.tree.created",
            entity_id="ramax.tree:deep",
            payload=encode(
                {
                    "node": f"n{level}",
                    "parent": "root" if level == 1 else f"n{level - 1}",
                    "key": "V",
                    "properties": {},
                },
                "payload",
            ),
        )
        for seq, level in enumerate(range(levels, 0, -1), 1)
    ]


async def test_placing_a_node_costs_the_same_however_many_siblings_it_has(db):
    store = await db.content_store("notes")
    tree = store.tree("wide")

    async def costs(name):
        async with counted(db) as calls:
            await tree.create(node=name, after="n1")
            await tree.move(name, "root", before="n2")
        return calls.statements

    for node in ("n1", "n2", "n3"):
        await tree.create(node=node)
    few = [await costs(f"new{number}") for number in range(4)]
    async with store.transaction() as tx:
        for number in range(4, 304):
            await tx.tree("wide").create(node=f"n{number}")
    many = [await costs(f"newer{number}") for number in range(4)]
    assert max(many) <= max(few) + 4  # neighbours are not in memory any more
    assert max(many) <= 20


async def test_trees_of_one_space_are_apart(db):
    store = await db.content_store("notes")
    await store.tree("one").create(node="a")
    assert await store.tree("two").children() == []
    await store.tree("two").create(node="a", properties={"x": 2})
    assert (await store.tree("one").get("a")).properties == {}


async def test_a_tree_is_part_of_the_space_like_anything_else(db):
    store = await db.content_store("notes")
    tree = store.tree("outline")
    await tree.create(node="a")
    point = (await tree.create("a", node="b", idempotency_key="once")).space_sequence
    assert (await tree.create("a", node="b", idempotency_key="once")).replayed
    async with store.transaction() as tx:
        await tx.tree("outline").move("b", "root", first=True)
        assert await ids(tx.tree("outline").children()) == ["b", "a"]
    assert await ids(store.as_of(point).tree("outline").children()) == ["a"]
    await store.rebuild_pstate()
    assert await ids(tree.children()) == ["b", "a"]


async def test_a_tree_that_two_branches_changed_is_a_conflict(db):
    here = await db.content_store("notes")
    await here.tree("t").create(node="a")
    await db.branches.fork(name="trial")
    there = await db.at_branch("trial").content_store("notes")
    await there.tree("t").create("a", node="b")
    await db.branches.merge("trial")
    assert await here.tree("t").path("b") == ["root", "a", "b"]
    await there.tree("t").set("a", {"x": "there"})
    await here.tree("t").set("a", {"x": "here"})
    with pytest.raises(MergeConflictError):
        await db.branches.merge("trial")
    assert (await here.tree("t").get("a")).properties == {"x": "here"}
    await db.branches.merge("trial", on_conflict="theirs")
    assert (await here.tree("t").get("a")).properties == {"x": "there"}


async def exchange(one, other) -> None:
    known = (await other.replica.info()).vector
    async for page in one.replica.read(known):
        await other.replica.ingest(page)


async def test_two_replicas_move_two_nodes_under_each_other(db):
    """B8: one of the moves counts, the same one everywhere, and there is no cycle."""
    here, there = [await db.content_store(name) for name in ("here", "there")]
    await there.replica.enable((await here.replica.enable()).space_uid)
    for node in "ab":
        await here.tree("t").create(node=node)
    await exchange(here, there)
    await here.tree("t").move("a", "b")
    await there.tree("t").move("b", "a")
    await exchange(here, there)
    await exchange(there, here)
    paths = [[await store.tree("t").path(node) for node in "ab"] for store in (here, there)]
    assert paths[0] == paths[1]
    assert sorted(map(len, paths[0])) == [2, 3]


async def drawn(tree):
    """The whole tree: ids with parents and properties, in order; the trash as well."""
    below = [each async for each in tree.walk()]
    return below + [each async for each in tree.walk("trash")]


async def grown(tree):
    for node, parent in (("a", "root"), ("b", "root"), ("a1", "a"), ("a2", "a"), ("gone", "a")):
        await tree.create(parent, {"name": node.upper()}, node=node)
    await tree.move("a1", "a", after="a2")
    await tree.delete("gone")


async def test_what_a_fork_did_to_a_tree_is_compared_and_merged(db):
    here = (await db.content_store("notes")).tree("t")
    await grown(here)
    before = await drawn(here)
    await db.branches.fork(name="trial")
    there = db.at_branch("trial")
    other = (await there.content_store("notes")).tree("t")
    await other.move("b", "a", before="a2")
    await other.restore("gone")
    await other.create("b", node="new", first=True)
    assert await drawn(here) == before
    found = await db.branches.diff("main", "trial")
    (space,) = [each for each in found.spaces if each.space == "notes"]
    assert {(each.type, each.key) for each in space.keys} == {
        ("tree", "t/b"), ("tree", "t/gone"), ("tree", "t/new"),
    }  # fmt: skip
    await db.branches.merge("trial")
    assert await drawn(here) == await drawn(other)
    await db.spaces.clone("notes", "copy")
    assert await drawn((await db.content_store("copy")).tree("t")) == await drawn(other)


async def test_a_tree_comes_back_from_a_folder_of_records(db, tmp_path):
    """Issue 9: a folder is a layer, and the backup of what a space holds."""
    store = await db.content_store("notes")
    await store.replica.enable()
    await grown(store.tree("t"))
    folder = Directory(tmp_path / "backup", 1 << 20)
    folder.refresh("notes")
    async for page in store.replica.read({}):
        folder.add("notes", page)
    back = await db.content_store("back")
    await back.replica.enable((await store.replica.info()).space_uid)
    for origin, last in folder.vector.items():
        await back.replica.ingest(folder.page(origin, 0, last, 10_000))
    folder.close()
    assert await drawn(back.tree("t")) == await drawn(store.tree("t"))
    assert len(await drawn(back.tree("t"))) == 5
    await back.tree("t").move("b", "a", before="a2")
    assert (await back.verify()).ok
