"""A merge of many spaces costs by what changed, and is whole or not at all after a crash."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

import ramax
from ramax.branches.merging import checked_domains
from ramax.errors import BranchNotFoundError, DataError
from tests._counting import counted
from tests._domains import documents, put

DOCUMENTS = documents()
SPACES = [f"s{n}" for n in range(6)]

CRASH = """
import asyncio, os, signal, sys
import ramax
from ramax.storage import merges
from tests.branches.test_merging import DOCUMENTS, SPACES

kill_at = int(sys.argv[2])
seen = 0
record = merges.record


def recording(*arguments):
    global seen
    record(*arguments)
    seen += 1
    if seen == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


merges.record = recording


async def main():
    async with ramax.connect(sys.argv[1]) as db:
        await db.branches.merge("test", domains=dict.fromkeys(SPACES, DOCUMENTS))


asyncio.run(main())
"""


async def fill(db):
    for name in SPACES:
        await (await db.content_store(name, DOCUMENTS)).execute(put, ["k", {"v": 0}])
    await db.branches.fork("main", "test")
    for name in SPACES:
        fork = await db.at_branch("test").content_store(name, DOCUMENTS)
        await fork.execute(put, ["k", {"v": 1}])


async def run(url, kill_at):
    root = Path(__file__).parents[2]
    arguments = ("-c", CRASH, url, str(kill_at))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=root)
    return await process.wait()


@pytest.mark.parametrize("kill_at", [1, len(SPACES)])
async def test_a_merge_that_is_killed_has_merged_all_spaces_or_none(durable_url, kill_at):
    async with ramax.connect(durable_url) as db:
        await fill(db)
    assert await run(durable_url, kill_at) == -signal.SIGKILL
    async with ramax.connect(durable_url) as db:
        for name in SPACES:
            store = await db.content_store(name, DOCUMENTS)
            assert await store.pstate.fetch("k") == {"v": 0}
            assert await store.events.get_space_latest_sequence() == 1
    assert await run(durable_url, 99) == 0
    async with ramax.connect(durable_url) as db:
        for name in SPACES:
            store = await db.content_store(name, DOCUMENTS)
            assert await store.pstate.fetch("k") == {"v": 1}
            assert (await store.verify()).findings == ()
        assert not (await db.branches.merge("test")).changed


async def test_spaces_that_nobody_touched_cost_no_statement(db):
    await fill(db)
    assert (await db.branches.merge("test")).unchanged == 0

    async def statements():
        async with counted(db) as calls:
            await db.branches.preview_merge("test", "other")
            return calls.statements

    await db.branches.fork("test", "other")
    await db.branches.preview_merge("test", "other")  # where spaces come from is read once
    few = await statements()
    for n in range(30):
        await (await db.at_branch("test").content_store(f"more{n}", DOCUMENTS)).execute(
            put, ["k", {"v": 0}]
        )
    await db.branches.delete("other")
    await db.branches.fork("test", "other")
    await db.branches.preview_merge("test", "other")
    assert await statements() == few


async def test_a_preview_says_what_a_merge_then_does(db):
    await fill(db)
    fork = await db.at_branch("test").content_store("new", DOCUMENTS)
    await fork.execute(put, ["k", {"v": 1}])
    preview = await db.branches.preview_merge("test")
    done = await db.branches.merge("test")
    assert preview.created == done.created == ("new",)
    assert [s.copied for s in preview.spaces] == [s.copied for s in done.spaces[: len(SPACES)]]
    assert done.spaces[-1].copied == 1
    assert preview.conflicts == ()


async def test_a_branch_that_is_gone_is_named(db):
    with pytest.raises(BranchNotFoundError):
        await db.branches.preview_merge("nowhere")


def test_domains_are_checked():
    assert checked_domains(None) == {}
    with pytest.raises(DataError, match="is no Domain"):
        checked_domains({"a": "b"})  # type: ignore[dict-item]
