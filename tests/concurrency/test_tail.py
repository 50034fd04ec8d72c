"""Readers that tail the log while others write it miss nothing and get nothing twice."""

import asyncio
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from tests._domains import add, counter
from tests._reading import PATIENCE, take
from tests.concurrency._processes import await_ready, go, started

WRITERS = (6, 5, 5)  # sixteen, in three processes
CI, NIGHTLY = 12, 150

rounds = pytest.mark.parametrize(
    "each", [CI, pytest.param(NIGHTLY, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
)


async def truth(url: str, order: str) -> list[tuple[int, int, int]]:
    """What is in the table, without a line of ours in between."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        query = f"SELECT event_id, space_id, space_sequence FROM events ORDER BY {order}"
        found = [tuple(row) for row in await connection.execute(sa.text(query))]
    await engine.dispose()
    return found


class Tail:
    """Reads on until it is told how much there is, and a little longer."""

    def __init__(self, subscription: ramax.Subscription) -> None:
        self._subscription = subscription
        self.found: list[tuple[int, int, int]] = []
        self.expected: int | None = None

    async def read(self) -> None:
        async with self._subscription as s:
            while self.expected is None or len(self.found) < self.expected:
                event = await s.next_event(0.2)
                if event is not None:
                    self.found.append((event.event_id, event.space_id, event.space_sequence))
                    if len(self.found) % 7 == 0:
                        await s.ack(event)
            assert await s.next_event(0.3) is None, "more than was written"


@rounds
@pytest.mark.parametrize("spaces", [16, 1])
async def test_a_tail_misses_nothing_and_gets_nothing_twice(durable_url, spaces, each):
    names = [f"s{n}" for n in range(spaces)]
    async with ramax.connect(durable_url) as db:
        stores = [await db.content_store(name) for name in names]
        tails: dict[int | None, Tail] = {None: Tail(db.subscribe_all("tail", poll_interval=0.05))}
        for store in stores[:3]:
            tail = Tail(store.subscribe("tail", poll_interval=0.05))
            tails[store.space.space_id] = tail
        reading = [asyncio.create_task(tail.read()) for tail in tails.values()]
        written = await asyncio.to_thread(_write, durable_url, each, names)
        rows = await truth(durable_url, "event_id")
        assert len(rows) == written
        counts = Counter(space_id for _, space_id, _ in rows)
        for space_id, tail in tails.items():
            tail.expected = written if space_id is None else counts[space_id]
        async with asyncio.timeout(PATIENCE * 3):
            await asyncio.gather(*reading)
    for space_id, tail in tails.items():
        expected = [row for row in rows if space_id in (None, row[1])]
        assert tail.found == (
            expected if space_id is None else sorted(expected, key=lambda r: r[2])
        )
    by_space: dict[int, list[int]] = {}
    for _, space_id, sequence in tails[None].found:
        by_space.setdefault(space_id, []).append(sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in by_space.values())


def _write(url: str, each: int, names: list[str]) -> int:
    """Write from three processes at once; return how many events they say they committed."""
    first, second, third = ([url, str(count), str(each), *names] for count in WRITERS)
    with (
        started("teller", *first) as one,
        started("teller", *second) as two,
        started("teller", *third) as three,
    ):
        processes = (one, two, three)
        for process in processes:
            await_ready(process)
        for process in processes:
            go(process)
        total = 0
        for process in processes:
            output, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors
            total += int(output)
        return total


@pytest.mark.postgres
async def test_an_id_that_commits_late_is_not_lost(postgres_url):
    """Three connections: a low id is committed after a higher one was delivered elsewhere."""
    async with (
        ramax.connect(postgres_url) as one,
        ramax.connect(postgres_url) as two,
        ramax.connect(postgres_url) as reader,
    ):
        a, b = await one.content_store("a", counter()), await two.content_store("b", counter())
        async with reader.subscribe_all("tail", poll_interval=0.02) as s:
            async with two.transaction(b) as late:
                async with one.transaction(a) as early:
                    first = await early.append("e", "t", {})
                    second = await late.append("e", "t", {})
                    third = await early.append("e", "t", {})
                assert first.event_id < second.event_id < third.event_id
                assert [e.event_id for e in await take(s, 1, ack=True)] == [first.event_id]
                assert await s.next_event(0.2) is None  # the third is committed, and has to wait
                of_a = await reader.content_store("a")
                async with of_a.subscribe("tail") as space:  # which nobody holds back
                    assert [e.event_id for e in await take(space, 2)] == [
                        first.event_id,
                        third.event_id,
                    ]
            found = [e.event_id for e in await take(s, 2, ack=True)]
            assert found == [second.event_id, third.event_id]


@pytest.mark.postgres
async def test_a_long_transaction_of_another_database_holds_nobody_up(
    postgres_url, empty_postgres_url
):
    stranger = create_async_engine(empty_postgres_url)
    async with stranger.begin() as transaction:
        await transaction.execute(sa.text("CREATE TABLE theirs AS SELECT pg_current_xact_id()"))
        async with ramax.connect(postgres_url) as db:
            store = await db.content_store("acme", counter())
            async with (
                store.subscribe("s", poll_interval=60) as s,
                db.subscribe_all("s", poll_interval=60) as feed,
            ):
                for _ in range(3):
                    await store.execute(add)
                    assert len(await take(s, 1, ack=True)) == len(await take(feed, 1)) == 1
    await stranger.dispose()


async def test_lost_notifications_cost_the_time_of_a_poll_and_no_event(durable_url):
    interval = 0.2
    async with ramax.connect(durable_url) as writer, ramax.connect(durable_url) as reader:
        reader._core.wakeups._listener = None
        ours = await writer.content_store("acme", counter())
        theirs = await reader.content_store("acme", counter())
        clock = asyncio.get_running_loop().time
        late = []
        async with (
            theirs.subscribe("s", poll_interval=interval) as s,
            reader.subscribe_all("s", poll_interval=interval) as feed,
        ):
            for sequence in range(1, 9):
                waiting = [asyncio.create_task(take(each, 1, ack=True)) for each in (s, feed)]
                await asyncio.sleep(0)
                before = clock()
                await ours.execute(add)
                found = await asyncio.gather(*waiting)
                late.append(clock() - before)
                assert [[e.space_sequence for e in each] for each in found] == [[sequence]] * 2
        assert sorted(late)[len(late) // 2] < interval + 0.2  # the median: machines are busy
