"""Moves money between spaces with 20 tasks until it is killed: URL SEED SPACES."""

import asyncio
import random
import sys

import ramax


class Crash(Exception):
    """What goes wrong in the middle of a transfer."""


async def transfer(
    db: ramax.Database, chance: random.Random, name: str, one: str, other: str
) -> None:
    async with db.transaction(one, other) as tx:
        amount = chance.randint(1, 9)
        for space, step in ((one, -amount), (other, amount)):
            account = tx.at(space).kv
            balance = (await account.get("money"))["balance"]
            await account.put("money", {"balance": balance + step, "by": name, "step": step})
            if chance.random() < 0.1:
                raise Crash


async def main(url: str, seed: str, spaces: int) -> None:
    names = [f"account-{n}" for n in range(spaces)]
    async with ramax.connect(url) as db:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)

        async def caller(number: int) -> None:
            chance = random.Random(f"{seed}-{number}")
            for index in range(10_000):
                name = f"{seed}-{number}-{index}"
                one, other = chance.sample(names, 2)
                try:
                    await transfer(db, chance, name, one, other)
                except (Crash, ramax.ConflictError):
                    continue
                sys.stdout.write(f"{name}\n")
                sys.stdout.flush()

        await asyncio.gather(*map(caller, range(20)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
