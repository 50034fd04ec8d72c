"""How branches differ: exactly what changed, on which side, and nothing else."""

import pytest

from ramax.errors import BranchNotFoundError, DataError, MisuseError
from ramax.runtime.pstate import SpacePState
from tests._domains import delete, documents, put

DOCUMENTS = documents()
DOMAINS = {"a": DOCUMENTS, "same": DOCUMENTS}


async def store(db, branch, name="a"):
    view = db if branch == "main" else db.at_branch(branch)
    return await view.content_store(name, DOCUMENTS)


def keys(space):
    return [(change.key, change.kind) for change in space.keys]


@pytest.fixture
async def forked(db):
    for name in ("a", "same"):
        for key in ("changed", "here", "kept", "there"):
            await (await store(db, "main", name)).execute(put, [key, {"v": 0}])
    await db.branches.fork("main", "test")
    return db


async def test_a_fresh_fork_does_not_differ(forked):
    found = await forked.branches.diff("main", "test")
    assert found.same
    assert (found.spaces, found.unchanged) == ((), 2)


async def test_keys_and_events_of_both_sides_are_told_apart(forked):
    db = forked
    main, test = await store(db, "main"), await store(db, "test")
    await test.execute(put, ["changed", {"v": 1}])
    await test.execute(put, ["new", {"v": 1}])
    await test.execute(delete, "there")
    await main.execute(delete, "here")
    await main.execute(put, ["kept", {"v": 0}])
    await main.kv.put("theme", "dark")
    found = await db.branches.diff("main", "test", values=True, domains=DOMAINS)
    (space,) = found.spaces
    assert (space.space, space.behind, found.unchanged) == ("a", (), 1)
    assert [(c.type, c.key, c.kind, c.old, c.new) for c in space.keys] == [
        ("kv", "theme", "removed", "dark", None),
        ("pstate", "changed", "changed", {"v": 0}, {"v": 1}),
        ("pstate", "here", "added", None, {"v": 0}),
        ("pstate", "new", "added", None, {"v": 1}),
        ("pstate", "there", "removed", {"v": 0}, None),
    ]
    assert (space.left.count, space.right.count) == (3, 3)
    assert space.left.by_type == {"entity": 2, "kv": 1}
    assert space.right.by_entity == {"changed": 1, "new": 1, "there": 1}
    back = await db.branches.diff("test", "main", domains=DOMAINS)
    assert keys(back.spaces[0])[-1] == ("there", "added")
    assert all(c.old is None and c.new is None for c in back.spaces[0].keys)


async def test_a_fork_that_nobody_used_is_folded_for_it(forked):
    db = forked
    await (await store(db, "main")).execute(put, ["changed", {"v": 2}])
    found = await db.branches.diff("main", "test", domains=DOMAINS)
    assert keys(found.spaces[0]) == [("changed", "changed")]


async def test_a_side_that_cannot_be_folded_is_named(forked):
    db = forked
    test = await store(db, "test")
    await test.execute(put, ["changed", {"v": 1}])
    await test.events.append("k", "doc.put", {"v": 1})
    found = await db.branches.diff("main", "test", domains={"a": documents("others")})
    assert found.spaces[0].behind == ("test",)
    assert keys(found.spaces[0]) == [("changed", "changed")]


async def test_spaces_of_one_branch_alone_are_named(forked):
    db = forked
    await store(db, "main", "only-main")
    await (await store(db, "test", "only-test")).execute(put, ["k", {"v": 1}])
    found = await db.branches.diff("main", "test", include_unchanged=True)
    assert (found.only_left, found.only_right) == (("only-main",), ("only-test",))
    assert [(s.space, s.same) for s in found.spaces] == [("a", True), ("same", True)]
    assert not found.same


async def test_after_a_merge_only_what_is_still_different_is_told(forked):
    db = forked
    for branch in ("main", "test"):
        await (await store(db, branch)).execute(put, ["changed", {"v": branch}])
    await (await store(db, "test")).execute(put, ["new", {"v": 1}])
    await db.branches.merge("test", on_conflict="ours", domains=DOMAINS)
    found = await db.branches.diff("main", "test", domains=DOMAINS, values=True)
    (space,) = found.spaces
    assert [(c.key, c.old, c.new) for c in space.keys] == [
        ("changed", {"v": "main"}, {"v": "test"})
    ]
    assert (space.left.count, space.right.count) == (1, 0)  # what was decided is known
    await db.branches.merge("main", "test", domains=DOMAINS)
    assert (await db.branches.diff("main", "test", domains=DOMAINS)).same


async def test_data_types_are_told_by_their_names(db):
    main = await db.content_store("a")
    await main.cells.set("c", 1)
    await main.json.set("d", {"x": 1})
    await main.log.append("noted", {"n": 1})
    await main.vectors.create_collection("v", 2)
    await db.branches.fork("main", "test")
    test = await db.at_branch("test").content_store("a")
    await test.cells.set("c", 2)
    await test.json.set("d", 2, path="$.x")
    await test.log.append("noted", {"n": 2})
    await test.vectors.upsert("v", "k", [1.0, 0.0])
    await test.kv.put("k", 1)
    await test.kv.delete("k")
    found = await db.branches.diff("main", "test", values=True)
    changes = [(c.type, c.key, c.kind, c.new) for c in found.spaces[0].keys]
    assert changes[:3] == [
        ("cells", "c", "changed", 2),
        ("json", "d", "changed", {"x": 2}),
        ("log", "2", "added", ["noted", {"n": 2}]),
    ]
    assert [change[:3] for change in changes[3:]] == [("vectors", "v/k", "added")]
    assert found.spaces[0].right.by_type == {"cells": 1, "json": 1, "log": 1, "vectors": 1, "kv": 2}


async def test_a_value_that_was_put_beside_the_log_is_seen(forked):
    db = forked
    pstate: SpacePState = (await store(db, "test")).pstate
    await pstate.put("beside", 1)
    await (await store(db, "test")).execute(put, ["changed", {"v": 1}])
    found = await db.branches.diff("main", "test", domains=DOMAINS)
    assert ("beside", "added") in keys(found.spaces[0])


async def test_bad_input_is_named(forked):
    with pytest.raises(BranchNotFoundError):
        await forked.branches.diff("main", "nowhere")
    with pytest.raises(MisuseError, match="itself"):
        await forked.branches.diff("main", "main")
    with pytest.raises(DataError, match="domains"):
        await forked.branches.diff("main", "test", domains=1)
