"""Runs commands and synchronises until it is killed: ``follow.py DEVICE AUTHORITY``; tells each."""

import asyncio
import itertools
import sys

import ramax
from ramax import Follower
from tests.sync._booking import COMMANDS, booking, count


async def main(device: str, authority: str) -> None:
    async with (
        ramax.connect(device) as db,
        Follower(
            db, "plane", booking, authority, commands=COMMANDS, on_conflict=lambda *_: "drop"
        ) as plane,
    ):
        first = int(await plane.pstate.get("sum", 0))
        working = asyncio.create_task(plane.run(interval=0.001))
        for n in itertools.count(first):
            await plane.execute(count, (1, str(n)))
            sys.stdout.write(f"{await plane.pstate.get('sum')}\n")
            sys.stdout.flush()
            assert not working.done()


asyncio.run(main(*sys.argv[1:]))
