"""A fork is one point over all spaces, whoever writes meanwhile, in whatever process."""

import asyncio

import pytest

import ramax
from tests import _racers
from tests.concurrency.test_boundaries import one_waits

SPACES = ["a", "b", "c"]


async def texts(view: ramax.Database) -> dict[str, list[str]]:
    """The marks of the events of each space, in order."""
    found = {}
    for name in SPACES:
        if await view.spaces.exists(name):
            store = await view.content_store(name)
            found[name] = [e.payload["mark"] async for e in store.events.stream()]
    return found


@pytest.mark.postgres
async def test_a_fork_waits_for_a_transaction_and_has_all_of_it_with_the_space_that_it_made(
    postgres_url,
):
    """The barrier: the transaction has written `a` and made `z` when the fork comes to `a`."""
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        for name in SPACES:
            await (await db.content_store(name)).events.append("e", "t", {"mark": "before"})

        async with other.transaction("b") as tx:
            await tx.append("e", "t", {"mark": "whole"})
            fork = asyncio.create_task(db.branches.fork("main", "experiment"))
            await one_waits(db)  # it has `a`, and wants `b`
            late = asyncio.create_task(other.events.append("a", "e", "t", {"mark": "late"}))
            await tx.at("z").append("e", "t", {"mark": "whole"})
            assert not fork.done()
        await fork
        await late
        view = db.at_branch("experiment")
        assert await texts(view) == {"a": ["before"], "b": ["before", "whole"], "c": ["before"]}
        made = await view.content_store("z")
        assert [e.payload["mark"] async for e in made.events.stream()] == ["whole"]
        assert (await texts(db))["a"] == ["before", "late"]


WRITER = """
import asyncio, sys
import ramax

async def main(url, me):
    async with ramax.connect(url) as db:
        for name in "abc":
            await db.content_store(name)
        START
        for number in range(int(sys.argv[3])):
            mark = f"{me}:{number}"
            async with db.transaction("a", "c") as tx:
                for name in "ac":
                    await tx.at(name).append("e", "t", {"mark": mark})
            await db.events.append("b", "e", "t", {"mark": mark})
            print(mark, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


@pytest.mark.parametrize("rounds", [5, pytest.param(60, marks=pytest.mark.nightly)])
async def test_a_fork_has_what_was_acknowledged_before_and_nothing_begun_after(durable_url, rounds):
    async with ramax.connect(durable_url) as db:
        for name in SPACES:
            await db.content_store(name)
        writers = [_racers.spawn(WRITER, durable_url, str(n), str(rounds * 4)) for n in range(2)]
        try:
            for writer in writers:
                assert await asyncio.to_thread(_racers.line, writer) == "ready"
                _racers.go(writer)
            acknowledged: list[set[str]] = []
            known: set[str] = set()
            for number in range(rounds):
                for writer in writers:
                    known.add(await asyncio.to_thread(_racers.line, writer))
                acknowledged.append(set(known))
                await db.branches.fork("main", f"fork{number}")
                await db.events.append("b", "e", "t", {"mark": f"after{number}"})
            for writer in writers:
                assert await asyncio.to_thread(writer.wait) == 0
        finally:
            for writer in writers:
                writer.kill()
                writer.communicate()
        for number, before in enumerate(acknowledged):
            found = await texts(db.at_branch(f"fork{number}"))
            assert set(found["a"]) == set(found["c"])  # whole transactions
            assert before <= set(found["a"])
            assert before <= set(found["b"])
            ours = {mark for mark in found["b"] if mark.startswith("after")}
            assert ours == {f"after{n}" for n in range(number)}
            for mark in found["b"]:  # what a writer did before this, it has done
                assert mark.startswith("after") or mark in found["a"]
