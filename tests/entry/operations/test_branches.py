import json

import pytest

from ramax.errors import BranchExistsError, BranchNotFoundError, DataError
from tests.entry.operations._calls import call


async def test_branches_are_made_listed_renamed_and_deleted_by_name(db):
    await call(db, "kv_put", key="k", value=0, space="a")
    made = await call(db, "branch_fork", name="test")
    assert (made["name"], made["parent"]) == ("test", "main")
    await call(db, "branch_create", name="empty")
    with pytest.raises(BranchExistsError):
        await call(db, "branch_create", name="empty")
    await call(db, "branch_rename", name="empty", new_name="void")
    listed = await call(db, "branch_list")
    assert json.loads(json.dumps(listed)) == listed
    assert [each["name"] for each in listed["branches"]] == ["main", "test", "void"]
    assert await call(db, "branch_delete", name="void") == {"deleted": True}


async def test_an_operation_is_about_the_branch_that_it_names(db):
    await call(db, "kv_put", key="k", value=0, space="a")
    await call(db, "branch_fork", name="test")
    await call(db, "kv_put", key="k", value=1, space="a", branch="test")
    await call(db, "spaces_create", space="more", branch="test")
    assert (await call(db, "kv_get", key="k", space="a"))["value"] == 0
    assert (await call(db, "kv_get", key="k", space="a", branch="main"))["value"] == 0
    view = db.at_branch("test")
    assert (await call(view, "kv_get", key="k", space="a"))["value"] == 1
    assert (await call(view, "kv_get", key="k", space="a", branch="main"))["value"] == 0
    assert (await call(db, "spaces_list", branch="test"))["spaces"] == ["a", "default", "more"]
    with pytest.raises(BranchNotFoundError):
        await call(db, "kv_get", key="k", branch="nowhere")
    with pytest.raises(DataError):
        await call(db, "kv_get", key="k", branch=7)


async def test_a_fork_of_the_past_is_at_sequences_or_at_a_time(db):
    for value in range(3):
        await call(db, "kv_put", key="k", value=value, space="a")
    await call(db, "branch_fork", name="early", at={"a": 1})
    assert (await call(db, "kv_get", key="k", space="a", branch="early"))["value"] == 0
    moment = "2026-01-01T00:00:00+00:00"
    await call(db, "branch_fork", name="before", at_time=moment)
    assert await call(db, "spaces_list", branch="before") == {"spaces": ["default"]}
    with pytest.raises(DataError):
        await call(db, "branch_fork", name="both", at={"a": 1}, at_time=moment)
