"""A lost connection is fenced before it is judged: never both done and reported failed."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

import ramax
from ramax.errors import CommitUnknownError, StorageBusyError, StorageError
from tests.concurrency._audit import audit
from tests.concurrency._ledger import Overdrawn, increment, ledger, post
from tests.concurrency._proxy import Fate, Once, Proxy, proxied

pytestmark = pytest.mark.postgres


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    async with proxied(postgres_url) as running:
        yield running


@pytest.fixture
async def db(proxy: Proxy) -> AsyncIterator[ramax.Database]:
    async with ramax.connect(proxy.url, lock_timeout=20) as database:
        store = await database.content_store("acme", ledger)
        await store.execute(post, {"account": "a", "amount": 1, "name": "first"})
        yield database


FATES = [Fate.LOSE, Fate.UNHEARD, Fate.LATE]


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name.lower())
@pytest.mark.parametrize("key", [None, "k1"])
async def test_a_command_whose_statement_or_answer_is_lost_happens_once(
    db: ramax.Database, proxy: Proxy, postgres_url: str, fate: Fate, key: str | None
) -> None:
    store = await db.content_store("acme", ledger)
    proxy.request = cut = Once(b"cut here", fate)
    params = {"account": "a", "amount": 5, "parts": 3, "name": "cut here"}
    commit = await store.execute(post, params, idempotency_key=key)
    assert cut.struck
    assert [event.space_sequence for event in commit.events] == [2, 3, 4]
    assert (await store.pstate.fetch("account:a"))["total"] == 16
    await proxy.deliver()
    found = (await audit(postgres_url))["acme"]
    assert found.commands == ["first", "cut here"]
    events = [event async for event in store.events.stream_space_events(from_sequence=1)]
    assert events == list(commit.events)


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name.lower())
async def test_a_batch_over_several_spaces_whose_connection_breaks_happens_once(
    db: ramax.Database, proxy: Proxy, postgres_url: str, fate: Fate
) -> None:
    names = ["acme", "globex", "initech"]
    stores = [await db.content_store(name, ledger) for name in names]
    proxy.request = cut = Once(b"cut here", fate)
    keyed = [f"key {n}" if n % 2 else None for n in range(30)]
    results = await asyncio.gather(
        *[
            stores[n % 3].execute(
                post,
                {"account": "a", "amount": 1, "name": f"{n} cut here", "parts": 1 + n % 2},
                idempotency_key=key,
            )
            for n, key in enumerate(keyed)
        ],
        stores[0].execute(post, {"account": "b", "amount": -1, "name": "no"}),
        return_exceptions=True,
    )
    assert cut.struck
    assert isinstance(results.pop(), Overdrawn)
    assert all(isinstance(result, ramax.Commit) for result in results)
    await proxy.deliver()
    found = await audit(postgres_url)
    assert sum(len(found[name].commands) for name in names) == 31


@pytest.mark.parametrize("when", [b"BEGIN", b"INSERT INTO idempotency_keys", b"COMMIT"])
@pytest.mark.parametrize("fate", [Fate.LOSE, Fate.UNHEARD], ids=lambda fate: fate.name.lower())
async def test_a_unit_of_several_statements_that_breaks_between_them_happens_once(
    db: ramax.Database, proxy: Proxy, postgres_url: str, when: bytes, fate: Fate
) -> None:
    store = await db.content_store("acme", ledger)
    proxy.request = cut = Once(when, fate)
    params = {"account": "a", "amount": 5, "parts": 2, "name": "second"}
    commit = await store.execute(post, params, idempotency_key="k1")
    assert cut.struck
    assert commit.space_sequence == 3
    await proxy.deliver()
    assert (await audit(postgres_url))["acme"].commands == ["first", "second"]
    again = await store.execute(post, params, idempotency_key="k1")
    assert again.events == commit.events
    assert again.replayed


async def test_an_answer_that_is_lost_is_found_again(
    db: ramax.Database, proxy: Proxy, postgres_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    armed = Once(b"cut here", Fate.PASS)

    def lose_the_answer(_: bytes) -> Fate:
        if not armed.struck:
            return Fate.PASS
        proxy.answer = lambda _: Fate.PASS
        return Fate.LOSE

    proxy.request, proxy.answer = armed, lose_the_answer
    params = {"account": "a", "amount": 5, "parts": 2, "name": "cut here"}
    commit = await store.execute(post, params)
    assert proxy.cuts == 1
    assert [event.space_sequence for event in commit.events] == [2, 3]
    assert (await audit(postgres_url))["acme"].commands == ["first", "cut here"]


async def test_what_nobody_can_tell_is_said_to_be_unknown(
    db: ramax.Database, proxy: Proxy, postgres_url: str
) -> None:
    """Ours lands unheard, then another process writes: neither token nor sequence is ours."""
    store = await db.content_store("acme", ledger)
    async with ramax.connect(postgres_url) as other_db:
        other = await other_db.content_store("acme", ledger)
        proxy.request = cut = Once(b"cut here", Fate.UNHEARD)
        pause = _Gate(proxy, cut)
        running = asyncio.create_task(
            store.execute(post, {"account": "a", "amount": 1, "name": "cut here"})
        )
        await pause.reached.wait()  # the fence asks for a new connection, and waits
        async with asyncio.timeout(25):
            while await other.events.get_space_latest_sequence() < 2:
                await asyncio.sleep(0)
        await other.execute(post, {"account": "a", "amount": 1, "name": "of another"})
        pause.open()
        with pytest.raises(CommitUnknownError) as caught:
            await running
    assert "idempotency_key" in str(caught.value)
    assert not caught.value.retryable
    assert (await audit(postgres_url))["acme"].commands == ["first", "cut here", "of another"]


async def test_with_a_key_even_that_is_known(
    db: ramax.Database, proxy: Proxy, postgres_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    params = {"account": "a", "amount": 1, "name": "second"}
    async with ramax.connect(postgres_url) as other_db:
        other = await other_db.content_store("acme", ledger)
        proxy.request = cut = Once(b"COMMIT", Fate.UNHEARD)
        pause = _Gate(proxy, cut)
        running = asyncio.create_task(store.execute(post, params, idempotency_key="k"))
        await pause.reached.wait()
        async with asyncio.timeout(25):
            while await other.events.get_space_latest_sequence() < 2:
                await asyncio.sleep(0)
        await other.execute(post, {"account": "a", "amount": 1, "name": "of another"})
        pause.open()
        commit = await running
    assert commit.replayed
    assert commit.space_sequence == 2
    assert (await audit(postgres_url))["acme"].commands == ["first", "second", "of another"]


async def test_a_server_that_stays_away_makes_what_was_sent_unknown(
    proxy: Proxy, postgres_url: str
) -> None:
    async with ramax.connect(proxy.url, lock_timeout=0.3) as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, {"account": "a", "amount": 1, "name": "first"})
        cut = Once(b"cut here", Fate.UNHEARD)
        proxy.request = lambda data: Fate.LOSE if cut.struck else cut(data)
        with pytest.raises(CommitUnknownError):
            await store.execute(post, {"account": "a", "amount": 1, "name": "cut here"})
        with pytest.raises(StorageError) as caught:  # was never sent
            await store.execute(post, {"account": "a", "amount": 1, "name": "not sent"})
        assert caught.value.retryable
        proxy.request = lambda _: Fate.PASS
        await store.execute(post, {"account": "a", "amount": 1, "name": "later"})
    assert (await audit(postgres_url))["acme"].commands == ["first", "cut here", "later"]


async def test_a_server_that_comes_back_in_time_is_waited_for(
    db: ramax.Database, proxy: Proxy, postgres_url: str
) -> None:
    store = await db.content_store("acme", ledger)
    refused = 0

    def away(_: bytes) -> Fate:
        nonlocal refused
        refused += 1
        if refused > 6:
            proxy.request = lambda _: Fate.PASS
        return Fate.LOSE

    proxy.request = away
    await asyncio.gather(
        *[
            store.execute(post, {"account": "a", "amount": 1, "name": f"n{number}"})
            for number in range(5)
        ]
    )
    assert refused > 6
    assert len((await audit(postgres_url))["acme"].commands) == 6


async def test_an_old_backend_that_hangs_with_the_space_locked_is_not_waited_for_for_ever(
    proxy: Proxy, postgres_url: str
) -> None:
    """The client is gone but its server end stays open, inside a transaction."""
    async with ramax.connect(proxy.url, lock_timeout=0.5) as db:
        store = await db.content_store("acme", ledger)
        proxy.request = cut = Once(b"COMMIT", Fate.LATE)
        params = {"account": "a", "amount": 1, "name": "late"}
        with pytest.raises((CommitUnknownError, StorageBusyError)):
            await store.execute(post, params, idempotency_key="k")
        assert cut.struck
        await proxy.deliver()
        commit = await store.execute(post, params, idempotency_key="k")
        assert commit.replayed
    assert (await audit(postgres_url))["acme"].commands == ["late"]


class _Gate:
    """Lets nothing through after a cut until it is opened."""

    def __init__(self, proxy: Proxy, cut: Once) -> None:
        self.reached = asyncio.Event()
        self._proxy, self._cut = proxy, cut
        self._cut_request = proxy.request
        proxy.request = self._request

    def _request(self, data: bytes) -> Fate:
        if self._cut.struck:
            self.reached.set()
            return Fate.LOSE
        return self._cut_request(data)

    def open(self) -> None:
        self._proxy.request = lambda _: Fate.PASS


@pytest.mark.parametrize(
    "cuts",
    [30, pytest.param(2000, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])],
)
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
async def test_random_cuts_lose_nothing_and_double_nothing(
    proxy: Proxy, postgres_url: str, cuts: int, keyed: bool
) -> None:
    """Two handles write the same spaces, one of them through connections that break."""
    dice = random.Random()
    fates = [Fate.LOSE, Fate.UNHEARD]
    names = ["acme", "globex", "initech"]
    done: list[str] = []
    unknown: set[str] = set()
    failed: set[str] = set()

    async def caller(db: ramax.Database, who: str) -> None:
        stores = [await db.content_store(name, ledger) for name in names]
        number = 0
        while proxy.cuts < cuts:
            number += 1
            name = f"{who}-{number}"
            params = {"account": f"a{number % 3}", "amount": 1, "parts": 1 + number % 3}
            store = stores[dice.randrange(3)]
            while True:
                try:
                    commit = await store.execute(
                        post, params | {"name": name}, idempotency_key=name if keyed else None
                    )
                except CommitUnknownError:
                    if not keyed:
                        unknown.add(name)
                        break
                except StorageError as error:
                    assert error.retryable
                    if not keyed:
                        failed.add(name)
                        break
                else:
                    assert {event.payload["name"] for event in commit.events} == {name}
                    done.append(name)
                    break

    async with (
        ramax.connect(postgres_url) as steady,
        ramax.connect(proxy.url) as shaky,
        asyncio.TaskGroup() as group,
    ):
        for name in names:
            await steady.spaces.create(name)
        proxy.request = lambda _: dice.choice(fates) if dice.random() < 0.02 else Fate.PASS
        proxy.answer = lambda _: Fate.LOSE if dice.random() < 0.02 else Fate.PASS
        callers = [group.create_task(caller(shaky, f"shaky{n}")) for n in range(6)]
        callers += [group.create_task(caller(steady, f"steady{n}")) for n in range(2)]
        await asyncio.wait(callers)
        proxy.request = proxy.answer = lambda _: Fate.PASS
    found = await audit(postgres_url)
    there = [command for name in names for command in found[name].commands]
    assert len(there) == len(set(there))
    assert set(done) <= set(there)
    assert not failed & set(there)
    assert set(there) - set(done) <= unknown


async def test_two_handles_over_breaking_connections_count_to_what_they_acknowledged(
    proxy: Proxy, postgres_url: str
) -> None:
    dice = random.Random()
    async with ramax.connect(proxy.url) as one, ramax.connect(proxy.url) as two:
        stores = [await db.content_store("acme", ledger) for db in (one, two)]
        proxy.answer = lambda _: Fate.LOSE if dice.random() < 0.03 else Fate.PASS

        async def caller(number: int) -> None:
            for index in range(10):
                key = f"{number}-{index}"
                while True:
                    try:
                        await stores[number % 2].execute(increment, idempotency_key=key)
                        break
                    except StorageError:
                        continue

        await asyncio.gather(*map(caller, range(10)))
        proxy.answer = lambda _: Fate.PASS
    assert (await audit(postgres_url))["acme"].state == {"counter": 100}
