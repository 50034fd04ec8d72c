"""No append ever gets past a query that it should have met: proved by replaying the log."""

import asyncio

import pytest

import ramax
from ramax import ConcurrencyError, Event, NewEvent, Query
from ramax.runtime.space_events import SpaceEvents
from tests.concurrency._processes import run_together


async def log_of(url: str) -> list[Event]:
    async with ramax.connect(url) as db:
        return [event async for event in db.events.stream_space_events("s")]


def violations(log: list[Event]) -> list[tuple[int, int]]:
    """Return (append, event): the event came before the append, and its query finds it."""
    found = []
    for event in log:
        if event.payload["at"]:
            continue  # decided with the first event of its append
        first, *more = (Query(*search) for search in event.payload["searches"])
        query = first | more[0] if more else first
        seen = log[event.payload["after"] : event.space_sequence - 1]
        hits = [e for e in seen if query.matches(e.event_type, e.entity_id, e.tags)]
        found += [(event.space_sequence, hit.space_sequence) for hit in hits]
    return found


def decided(url: str, how: str, *, processes: int, tasks: int, each: int) -> int:
    """Let processes decide at once; return how often they were refused."""
    calls = [[url, str(seed), str(tasks), str(each), how] for seed in range(processes)]
    return sum(said.count("refused") for said in run_together("decider", calls, timeout=240))


SIZES = [
    pytest.param(3, 2, 40, id="3-processes"),
    pytest.param(6, 4, 250, id="6-processes", marks=pytest.mark.nightly),
]


@pytest.mark.parametrize(("processes", "tasks", "each"), SIZES)
async def test_no_append_gets_past_its_query(durable_url, processes, tasks, each):
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("s")
    refused = await asyncio.to_thread(
        decided, durable_url, "guarded", processes=processes, tasks=tasks, each=each
    )
    log = await log_of(durable_url)
    appended = sum(event.payload["at"] == 0 for event in log)
    assert appended + refused == processes * tasks * each
    assert min(appended, refused) > 10  # both happen, so both are tested
    assert violations(log) == []


async def test_the_same_replay_catches_who_looks_first_and_appends_after(durable_url):
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("s")
    await asyncio.to_thread(decided, durable_url, "unguarded", processes=3, tasks=2, each=40)
    assert violations(await log_of(durable_url))


class Seat:
    """A decision that two make at once: who looks waits until the other has looked too."""

    def __init__(self, events: SpaceEvents) -> None:
        self.events, self.both = events, asyncio.Barrier(2)
        self.query = Query(tags=["seat:1"])

    def new(self, after: int) -> list[NewEvent]:
        payload = {"searches": [([], [], ["seat:1"])], "after": after, "at": 0}
        return [NewEvent("booked", payload, entity_id="e", tags=["seat:1"])]

    async def wrong(self) -> None:
        async for event in self.events.stream_space_events():
            assert not self.query.matches(event.event_type, event.entity_id, event.tags)
        await self.both.wait()
        await self.events.append_many(self.new(0))

    async def right(self) -> None:
        after = await self.events.get_space_latest_sequence()
        await self.both.wait()
        await self.events.append_if(self.new(after), no_match=self.query, after=after)


@pytest.mark.parametrize("how", ["wrong", "right"])
async def test_of_two_who_decided_at_once_the_second_is_refused(db, how):
    store = await db.content_store("s")
    seat = Seat(store.events)
    answers = await asyncio.gather(
        *(getattr(seat, how)() for _ in range(2)), return_exceptions=True
    )
    log = [event async for event in store.events.stream_space_events()]
    if how == "wrong":
        assert (answers, violations(log)) == ([None, None], [(2, 1)])
        return
    [refused] = [each for each in answers if each is not None]
    assert isinstance(refused, ConcurrencyError)
    assert (len(log), violations(log)) == (1, [])


@pytest.mark.postgres
async def test_a_query_is_checked_after_the_lock_that_others_hold(postgres_url):
    """Who waits for the lock looks again once it is his: what the other added counts."""
    async with ramax.connect(postgres_url) as one, ramax.connect(postgres_url) as two:
        first, second = await one.content_store("s"), await two.content_store("s")
        await first.events.append("e", "noted", {})
        query = Query(tags=["seat:1"])
        new = NewEvent("booked", {}, entity_id="e", tags=["seat:1"])
        async with first.transaction() as tx:
            await tx.append_if([new], no_match=query)
            waiting = asyncio.create_task(second.events.append_if([new], no_match=query))
            in_transaction = asyncio.create_task(book(second, new, query))
            await one_waits(two)
        for each in (waiting, in_transaction):
            with pytest.raises(ConcurrencyError):
                await each
        assert await first.events.get_space_latest_sequence() == 2


async def book(store: ramax.ContentStore, new: NewEvent, query: Query) -> None:
    async with store.transaction() as tx:
        await tx.append_if([new], no_match=query)


async def one_waits(db: ramax.Database) -> None:
    """Return when somebody waits for a lock."""
    async with asyncio.timeout(25), db.engine.connect() as connection:
        # within one transaction PostgreSQL shows the activity of its first look again and again
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while True:
            waiting = await connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            if waiting.scalar_one():
                return
            await asyncio.sleep(0.01)
