"""Writes a row for each event of a subscription, until it is killed: URL NAME LEASE HOW COUNT STALL

HOW is the way of the ack: `transaction` of the subscription, or on a `connection` of its own. Says
`wrote` between its write and its ack. It ends when the table has COUNT rows; 0 is never. It freezes
for STALL seconds before it writes, and again before its ack; `a` and `b` only for a third of the
events, each for another one.
"""

import asyncio
import sys
import time

import sqlalchemy as sa

import ramax

EFFECT = sa.text("INSERT INTO effects (space_id, sequence, worker) VALUES (:space, :n, :worker)")
COUNT = sa.text("SELECT count(*) FROM effects")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(url: str, worker: str, lease: str, how: str, count: str, stall: str) -> None:
    async with ramax.connect(url, lock_timeout=60) as db:
        store = await db.content_store("acme")
        say("ready")
        done = False
        async with store.subscribe("mailer", lease=float(lease), poll_interval=0.02) as s:
            while not done:
                try:
                    done = await work(db, s, worker, how, int(count), float(stall))
                except ramax.SubscriptionLostError:
                    say("lost")


async def work(
    db: ramax.Database,
    s: ramax.Subscription,
    worker: str,
    how: str,
    count: int,
    stall: float,
) -> bool:
    event = await s.next_event(0.05)
    if event is None:
        async with db.engine.connect() as connection:
            return bool(count) and (await connection.execute(COUNT)).scalar_one() >= count
    if worker in "ab" and event.space_sequence % 3 != "ab".index(worker):
        stall = 0
    time.sleep(stall)  # nothing of this process goes on, its lease least of all
    row = {"space": event.space_id, "n": event.space_sequence, "worker": worker}
    if how == "transaction":
        async with s.transaction(event) as tx:
            await tx.connection.execute(EFFECT, row)
            say("wrote")
            time.sleep(stall)
    else:
        async with db.engine.begin() as connection:
            await connection.execute(EFFECT, row)
            say("wrote")
            time.sleep(stall)
            await s.ack(event, connection)
    return False


asyncio.run(main(*sys.argv[1:]))
