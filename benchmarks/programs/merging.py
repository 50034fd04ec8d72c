"""Late moves of a tree of ramax: merging them alone, and taking their records into a database.

Two replicas know a tree of 10,000 nodes and moved 1,000 of them each, at the same time: every move
of the one falls between two of the other.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import ramax
from benchmarks.work import Meter, Numbers, Round, Sample, Work, serve
from ramax.core.codec import decode, encode
from ramax.core.datatypes.tree import CREATED, MOVED, TREE
from ramax.core.rewind import Known, Rewindable, merged
from ramax.core.sync.record import EventRecord
from ramax.testing.records import record
from ramax.values import applied_event

NODES, MOVES = 10_000, 1_000
HERE, THERE = b"here" * 4, b"over" * 4


def _record(origin: bytes, seq: int, stamp: int, event_type: str, **said: Any) -> EventRecord:
    return record(
        origin,
        seq,
        stamp=stamp << 16,
        event_type=event_type,
        entity_id=TREE.id_of("t"),
        payload=encode(said, "payload"),
    )


def made() -> tuple[list[EventRecord], list[EventRecord], list[EventRecord]]:
    """Return what both know, and what each did apart: the moves of one come first in each pair."""
    chance = random.Random(7)
    nodes = [f"n{n:05}" for n in range(NODES)]
    known = []
    for n, node in enumerate(nodes):
        parent = nodes[chance.randrange(n)] if n else "root"
        said = {"node": node, "parent": parent, "key": "V", "properties": {}}
        known.append(_record(HERE, n + 1, n + 1, CREATED, **said))

    def moves(origin: bytes, first: int, half: int) -> list[EventRecord]:
        return [
            _record(
                origin,
                first + n,
                NODES + 1 + 2 * n + half,
                MOVED,
                node=chance.choice(nodes),
                parent=chance.choice(nodes),
                key="W",
            )
            for n in range(MOVES)
        ]

    return known, moves(HERE, NODES + 1, 1), moves(THERE, 1, 0)


def _known(records: Sequence[EventRecord]) -> list[Known]:
    return [
        Known(
            applied_event(
                each.stamp,
                each.entity_id,
                each.event_type,
                decode(each.payload),
                each.timestamp,
                None,
                None,
                None,
            ),
            folded=each.origin == HERE,
        )
        for each in sorted(records, key=lambda each: each.stamp)
    ]


@asynccontextmanager
async def merge(target: str) -> AsyncIterator[Round]:  # noqa: ARG001 - there is none
    """Take 1,000 moves back and do 2,000: no database, and the tree before them is in memory."""
    known, mine, theirs = made()
    before, after = _known(known), _known([*mine, *theirs])

    async def one_round(_: int) -> Sample:
        state = Rewindable()
        for each in before:
            TREE.apply(state, each.event)
        with Meter() as meter:
            changes = merged(TREE, state, after, "bench")
        assert changes
        return meter.sample(MOVES)

    yield one_round


@asynccontextmanager
async def ingest(target: str, **options: Any) -> AsyncIterator[Round]:
    """Take the records of the moves: checked, stored, merged with the tree as the log has it."""
    known, mine, theirs = made()
    async with ramax.connect(target, **options) as db:
        numbers = Numbers()

        async def one_round(_: int) -> Sample:
            store = await db.content_store(f"tree-{numbers.take(1)[0]}")
            await store.replica.enable()
            await store.replica.ingest([*known, *mine])
            with Meter() as meter:
                await store.replica.ingest(theirs)
            return meter.sample(MOVES)

        yield one_round


WORKS: dict[str, Work] = {work.__name__: work for work in (merge, ingest)}

if __name__ == "__main__":
    serve(WORKS)
