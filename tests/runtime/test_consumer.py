import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax import (
    DataError,
    MisuseError,
    NestedTransactionError,
    NewEvent,
    Rejected,
    SubscriptionPausedError,
)
from ramax.storage import cursors, parked, subscriptions
from tests._domains import add, counter
from tests._each import each
from tests._reading import until

SOON = 0.02
QUICK = {"wait": 0, "attempts": 2}


@pytest.fixture
async def store(db):
    made = await db.content_store("acme", counter())
    for entity in ("a", "b", "a", "b", "a"):
        await made.events.append(entity, "t", {})
    return made


class Handler:
    """Notes what it gets, and fails on what it is told to."""

    def __init__(self, *fails: int) -> None:
        self.fails = set(fails)
        self.got: list[int] = []
        self.done: list[int] = []

    async def __call__(self, event, tx=None):
        self.got.append(event.space_sequence)
        if event.space_sequence in self.fails:
            raise RuntimeError(f"no {event.space_sequence}")
        if tx is not None:
            await tx.append("seen", "seen", {"n": event.space_sequence})
        self.done.append(event.space_sequence)


async def run(store, handler, *, name="s", follow=False, types=("t",), **options):
    reader = store.subscribe(name, follow=follow, types=types, poll_interval=SOON)
    async with asyncio.timeout(25), reader as s:
        await s.run(handler, **QUICK | options)


async def seen(store):
    return [e.payload["n"] for e in await store.events.get_events("seen")]


async def test_every_event_is_handled_and_acknowledged(store):
    handler = Handler()
    await run(store, handler)
    assert handler.done == [1, 2, 3, 4, 5]
    assert await store.get_checkpoint("s") == 5
    await run(store, handler)
    assert len(handler.done) == 5


async def test_in_a_transaction_the_effect_is_committed_with_the_ack(store):
    handler = Handler(3)
    with pytest.raises(SubscriptionPausedError, match=r"event 3 \(t\): RuntimeError\('no 3'\)"):
        await run(store, handler, transaction=True)
    assert (await seen(store), await store.get_checkpoint("s")) == ([1, 2], 2)


async def test_a_handler_is_tried_again_before_anything_else_happens(store):
    handler = Handler(2)

    async def better(event):
        if handler.got.count(2) == 2:
            handler.fails.clear()
        await handler(event)

    await run(store, better, attempts=3)
    assert handler.got == [1, 2, 2, 2, 3, 4, 5]
    assert handler.done == [1, 2, 3, 4, 5]


async def test_a_mistake_of_the_code_is_not_tried_again(store):
    tries = []

    async def nested(event, tx):
        tries.append(event)
        await store.execute(add)

    with pytest.raises(SubscriptionPausedError) as caught:
        await run(store, nested, transaction=True, attempts=5)
    assert isinstance(caught.value.__cause__, NestedTransactionError)
    assert len(tries) == 1


async def test_it_pauses_until_somebody_resumes_it(store, db, caplog):
    handler = Handler(3)
    running = asyncio.create_task(run(store, handler, follow=True))
    await until(lambda: "pauses at event 3" in caplog.text)

    async def paused():
        (status,) = await db.subscriptions.list("acme")
        return status.paused_at

    await until(paused)
    (status,) = await db.subscriptions.list("acme")
    assert (status.position, status.stopped_at) == (2, 3)
    assert "no 3" in status.reason
    handler.fails.clear()
    await db.subscriptions.resume("s", space="acme")
    await until(lambda: handler.done == [1, 2, 3, 4, 5])

    async def acknowledged():
        return await store.get_checkpoint("s") == 5

    await until(acknowledged)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (status,) = await db.subscriptions.list("acme")
    assert (status.owner, status.paused_at, status.position) == (None, None, 5)


async def test_what_it_stopped_at_can_be_skipped(store, db, caplog):
    handler = Handler(3)
    running = asyncio.create_task(run(store, handler, follow=True))

    async def paused():
        return (await db.subscriptions.list("acme"))[0].paused_at

    await until(lambda: "pauses at" in caplog.text)
    await until(paused)
    await db.subscriptions.skip("s", space="acme")
    await until(lambda: handler.done == [1, 2, 4, 5])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("transaction", [False, True])
async def test_an_event_is_parked_with_those_behind_it_of_its_entity(store, db, transaction):
    handler = Handler(1)
    await run(store, handler, on_error="park", transaction=transaction)
    assert handler.done == [2, 4]
    assert await store.get_checkpoint("s") >= 5
    aside = await db.subscriptions.parked("s", space="acme")
    assert [(e.space_sequence, e.entity_id, e.state, e.attempts) for e in aside] == [
        (1, "a", "failed", 2),
        (3, "a", "waiting", 0),
        (5, "a", "waiting", 0),
    ]
    assert "no 1" in aside[0].error
    await run(store, handler, on_error="park", transaction=transaction)  # nobody said anything
    assert handler.done == [2, 4]
    assert await db.subscriptions.retry("s", space="acme") == 1
    await run(store, handler, on_error="park", transaction=transaction)  # it fails again
    assert [e.attempts for e in await db.subscriptions.parked("s", space="acme")] == [4, 0, 0]
    handler.fails.clear()
    await db.subscriptions.retry("s", aside[0], space="acme")
    await run(store, handler, on_error="park", transaction=transaction)
    assert handler.done == [2, 4, 1, 3, 5]
    assert list(await db.subscriptions.parked("s", space="acme")) == []
    if transaction:
        assert await seen(store) == [2, 4, 1, 3, 5]


async def test_skipping_a_parked_event_lets_go_on_what_is_behind_it(store, db):
    handler = Handler(1)
    await run(store, handler, on_error="park")
    (failed, *_) = await db.subscriptions.parked("s", space="acme")
    await db.subscriptions.skip("s", failed, space="acme")
    await run(store, handler, on_error="park")
    assert handler.done == [2, 4, 3, 5]


async def test_a_running_one_notices_what_is_to_be_retried(store, db):
    handler = Handler(2)
    running = asyncio.create_task(run(store, handler, follow=True, on_error="park"))
    await until(lambda: handler.done == [1, 3, 5])
    handler.fails.clear()

    async def retried():
        return await db.subscriptions.retry("s", space="acme")

    await until(retried)
    await until(lambda: handler.done == [1, 3, 5, 2, 4])
    await store.events.append("b", "t", {})  # nothing is before it any more
    await until(lambda: handler.done[-1] == 6)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_parked_by_a_reader_of_all_spaces_it_belongs_to_its_space(db):
    for space in ("one", "two"):
        await db.content_store(space)
        await db.events.append(space, "e", "t", {})
        await db.events.append(space, "e", "t", {})

    async def fails(event):
        raise RuntimeError(event.space_id)

    async with db.subscribe_all("s", follow=False) as s:
        await s.run(fails, on_error="park", **QUICK)
    assert len(await db.subscriptions.parked("s")) == 4
    await db.spaces.delete("one", force=True)
    aside = await db.subscriptions.parked("s")
    assert [(e.space_id, e.state) for e in aside] == [(2, "failed"), (2, "waiting")]
    await db.subscriptions.retry("s")
    handler = Handler()
    async with db.subscribe_all("s", follow=False, poll_interval=SOON) as s:
        await s.run(handler, on_error="park", **QUICK)
        await s.run(handler, on_error="park", **QUICK)
    assert handler.done == [1, 2]
    assert list(await db.subscriptions.parked("s")) == []


@pytest.mark.parametrize("transaction", [False, True])
async def test_an_event_whose_space_is_deleted_meanwhile_is_passed_over(db, transaction):
    stores = [await db.content_store(space, counter()) for space in ("one", "two", "three")]
    for store in stores:
        await store.execute(add)
    handled = []

    async def handler(event, tx=None):
        if event.space_id == 2 and tx is None:
            await stores[1].execute(add)  # what it wants to do there cannot be done
        handled.append(event.space_id)

    async with db.subscribe_all("s", follow=False) as s:
        await s.ack(await anext(s))  # the page is in memory
        await db.spaces.delete("two", force=True)
        await s.run(handler, transaction=transaction, **QUICK)
    assert handled == [3]


async def test_whatever_is_recorded_in_a_handler_has_the_event_as_its_cause(store):
    async def follow_up(event):
        await store.execute(add)

    await run(store, follow_up)
    causes = [e.causation_id for e in await store.events.get_events("n")]
    assert causes == [1, 2, 3, 4, 5]


async def test_a_command_that_says_no_is_a_failure_like_any_other(store):
    async def refused(event):
        raise Rejected("no")

    with pytest.raises(SubscriptionPausedError, match="no"):
        await run(store, refused)


async def test_a_checkpoint_that_is_moved_meanwhile_is_followed(store):
    handler = Handler()

    async def moved(event):
        await handler(event)
        if event.space_sequence == 1:
            await store.update_checkpoint(3, name="s")

    await run(store, moved)
    assert handler.done == [1, 4, 5]


async def test_closing_the_database_ends_it(url):
    db = await ramax.connect(url)
    store = await db.content_store("acme", counter())
    await store.execute(add)
    handling = asyncio.Event()

    async def handler(event):
        handling.set()

    running = asyncio.create_task(run(store, handler, follow=True, types=None))
    await handling.wait()
    await db.close()
    with pytest.raises(ramax.ClosedError):
        await running


@each(
    "wrong",
    [
        {"transaction": 1},
        {"on_error": "skip"},
        {"attempts": 0},
        {"attempts": 1.5},
        {"wait": -1},
        {"max_wait": "1"},
    ],
)
async def test_a_policy_that_cannot_be_is_refused(db, wrong):
    store = await db.content_store("acme", counter())
    async with store.subscribe("s", follow=False) as s:
        (name,) = wrong
        with pytest.raises(DataError, match=name):
            await s.run(Handler(), **wrong)


async def test_a_handler_is_something_to_call_and_runs_inside_the_block(store):
    with pytest.raises(MisuseError, match="async with"):
        await store.subscribe("s").run(Handler())
    async with store.subscribe("s", follow=False) as s:
        with pytest.raises(MisuseError, match="handler"):
            await s.run("print")


@pytest.mark.parametrize("transaction", [False, True])
async def test_a_handler_that_is_not_async_is_a_mistake_and_no_failure_of_an_event(
    store, db, transaction
):
    async with store.subscribe("s") as s:
        with pytest.raises(MisuseError, match="async function"):
            await s.run(lambda *_: None, transaction=transaction)
    (status,) = await db.subscriptions.list()
    assert (status.position, status.paused_at, status.owner) == (0, None, None)


@pytest.mark.parametrize("transaction", [False, True])
async def test_a_cancelled_handler_is_not_tried_again(store, db, transaction):
    calls = []
    begun = asyncio.Event()

    async def stays(event, tx=None):
        calls.append(event.space_sequence)
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(run(store, stays, attempts=5, transaction=transaction))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await running
    assert calls == [1]
    (status,) = await db.subscriptions.list()
    assert (status.position, status.paused_at, status.owner) == (0, None, None)


async def test_own_statements_and_the_ack_are_one(store, db):
    async with db.connection() as connection, connection.begin():
        await connection.execute(sa.text("CREATE TABLE sent (n INTEGER)"))

    async def handler(event, tx):
        await tx.connection.execute(
            sa.text("INSERT INTO sent VALUES (:n)"), {"n": event.space_sequence}
        )
        if event.space_sequence == 4:
            raise RuntimeError

    with pytest.raises(SubscriptionPausedError):
        await run(store, handler, transaction=True)
    async with db.connection() as connection:
        found = await connection.execute(sa.text("SELECT n FROM sent ORDER BY n"))
        assert found.scalars().all() == [1, 2, 3]


async def split(db, parts):
    """A store with an event that becomes several, one about each entity, and one about "a"."""
    domain = counter()
    domain.upcaster("old", from_version=1)(
        lambda event: [
            NewEvent("t", {"part": n}, entity_id=entity)
            for n, entity in enumerate(event.payload["of"])
        ]
    )
    store = await db.content_store("acme", domain)
    await db.events.append("acme", "x", "old", {"of": parts})
    await store.events.append("a", "t", {"part": 0})
    return store


class PartHandler:
    """Remembers what it has handled, and fails at one part of the first event."""

    def __init__(self, fails):
        self.done, self.fails = [], fails

    async def __call__(self, event, _tx=None):
        at = (event.space_sequence, event.payload["part"])
        if at == self.fails:
            raise RuntimeError(f"cannot handle {at}")
        self.done.append(at)


@pytest.mark.parametrize("transaction", [False, True])
async def test_a_parked_part_is_tried_again_alone(db, transaction):
    store = await split(db, "abab")
    handler = PartHandler((1, 2))
    how = {"on_error": "park", "types": ["t"], "transaction": transaction}
    await run(store, handler, **how)
    assert handler.done == [(1, 0), (1, 1), (1, 3)]  # of other entities, which go on
    aside = await db.subscriptions.parked("s", space="acme")
    assert [(e.space_sequence, e.part, e.state) for e in aside] == [
        (1, 2, "failed"),
        (2, 0, "waiting"),
    ]
    handler.fails = None
    assert await db.subscriptions.retry("s", aside[0], space="acme") == 1
    await run(store, handler, **how)
    assert handler.done == [(1, 0), (1, 1), (1, 3), (1, 2), (2, 0)]
    assert await db.subscriptions.parked("s", space="acme") == []


@pytest.mark.parametrize("transaction", [False, True])
async def test_parts_behind_one_that_failed_wait_each_on_its_own(db, transaction):
    store = await split(db, "aaa")
    handler = PartHandler((1, 1))
    how = {"on_error": "park", "types": ["t"], "transaction": transaction}
    await run(store, handler, **how)
    aside = await db.subscriptions.parked("s", space="acme")
    assert [(e.space_sequence, e.part) for e in aside] == [(1, 1), (1, 2), (2, 0)]
    handler.fails = (1, 2)
    await db.subscriptions.retry("s", space="acme")
    await run(store, handler, **how)
    assert handler.done == [(1, 0), (1, 1)]
    aside = await db.subscriptions.parked("s", space="acme")
    assert [(e.part, e.state) for e in aside] == [(2, "failed"), (0, "waiting")]
    await db.subscriptions.skip("s", aside[0], space="acme")
    await run(store, handler, **how)
    assert handler.done == [(1, 0), (1, 1), (2, 0)]


async def test_what_an_older_ramax_parked_as_a_whole_is_tried_again_as_a_whole(db):
    store = await split(db, "ab")
    async with store.subscribe("s", types=["t"], follow=False) as s:
        [await s.ack(event) async for event in s]
    whole = parked.Parked(1, 1, parked.WHOLE, "x", parked.FAILED, 1, "no", 1)
    reader = parked.Reader(1, "s")
    await db._core.locked("a test", lambda ex: parked.add(ex, reader, whole))
    (aside,) = await db.subscriptions.parked("s", space="acme")
    assert aside.part is None
    assert await db.subscriptions.retry("s", aside, space="acme") == 1
    handler = PartHandler(None)
    await run(store, handler, types=["t"], on_error="park", transaction=True)
    assert handler.done == [(1, 0), (1, 1)]
    assert await db.subscriptions.parked("s", space="acme") == []


@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize("skips", [False, True])
async def test_a_pause_is_at_one_part_which_is_resumed_or_skipped_alone(db, transaction, skips):
    store = await split(db, "aaaa")
    handler = PartHandler((1, 2))
    with pytest.raises(SubscriptionPausedError):
        await run(store, handler, types=["t"], transaction=transaction)
    (standing,) = await db.subscriptions.list("acme")
    assert (standing.stopped_at, standing.stopped_part, standing.parts_done) == (1, 2, 2)
    if skips:
        await db.subscriptions.skip("s", space="acme")
    else:
        handler.fails = None
        await db.subscriptions.resume("s", space="acme")
    await run(store, handler, types=["t"], transaction=transaction)
    skipped = [] if skips else [(1, 2)]
    assert handler.done == [(1, 0), (1, 1), *skipped, (1, 3), (2, 0)]
    (standing,) = await db.subscriptions.list("acme")
    assert (standing.stopped_part, standing.parts_done, standing.position) == (None, 0, 2)


async def test_what_another_owner_parked_meanwhile_is_not_overtaken(store, db):
    """It had the subscription between two of our reads, and gave it back."""
    handler = Handler()
    reader = store.subscribe("s", types=["t"], poll_interval=600)
    async with asyncio.timeout(20), reader as s:
        running = asyncio.create_task(s.run(handler, on_error="park", **QUICK))
        await until(lambda: s.caught_up and handler.done == [1, 2, 3, 4, 5])

        def have_it_and_give_it_back(ex):
            me, now = {"me": "other", **s.key.params}, 2**61
            ex.run(subscriptions.take_lease, me | {"until": now, "now": now})
            aside = parked.Parked(1, 6, 0, "a", parked.FAILED, 1, "no", 1)
            parked.add(ex, parked.Reader(1, "s"), aside)
            cursors.pass_over(ex, cursors.Position(1, "s", cursors.Place(6)), 1)
            ex.run(subscriptions.free_lease, me)

        async with store.transaction() as tx:
            await tx.append("a", "t", {})
            await tx.append("a", "t", {})
            await tx.append("b", "t", {})
            await tx.run(have_it_and_give_it_back)
        await until(lambda: 8 in handler.done)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert handler.done == [1, 2, 3, 4, 5, 8]
    aside = await db.subscriptions.parked("s", space="acme")
    assert [(e.space_sequence, e.state) for e in aside] == [(6, "failed"), (7, "waiting")]
