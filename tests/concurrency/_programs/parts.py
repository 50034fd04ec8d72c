"""Writes a row for each part of split events, until it is killed or done: URL WHERE

It says WHERE and freezes when it has done a part: `between` two of them, or `within` the
transaction of the second, which has written. Without such a place it ends with the log.
"""

import asyncio
import sys
import time

import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent

EFFECT = sa.text("INSERT INTO effects (sequence, part) VALUES (:sequence, :part)")


def splitting() -> Domain:
    domain = Domain("parts", entity_id=lambda payload: f"p:{payload['n']}")

    @domain.upcaster("old", from_version=1)
    def split(event: ramax.Event) -> list[NewEvent]:
        return [NewEvent("new", {"n": n}) for n in range(event.payload["parts"])]

    return domain


async def main(url: str, where: str) -> None:
    def freeze(here: str) -> None:
        if here == where:
            sys.stdout.write(f"{where}\n")
            sys.stdout.flush()
            time.sleep(60)

    async with ramax.connect(url, lock_timeout=60) as db:
        store = await db.content_store("acme", splitting())
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        caught_up = False
        async with store.subscribe("mailer", lease=0.3, poll_interval=0.02) as s:
            done = 0
            while not caught_up:
                event = await s.next_event(0.05)
                if event is None:  # where another one had the lease, it is waited for
                    caught_up = s.caught_up
                    continue
                async with s.transaction(event) as tx:
                    row = {"sequence": event.space_sequence, "part": event.part}
                    await tx.connection.execute(EFFECT, row)
                    if done:
                        freeze("within")
                done += 1
                freeze("between")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
