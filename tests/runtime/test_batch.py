"""Nothing is ever decided on a state that was not the newest, whoever else writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy.util import await_only

import ramax
from ramax import NewEvent
from ramax.errors import ConcurrencyError, SpaceNotFoundError
from tests.concurrency._audit import audit
from tests.concurrency._ledger import Overdrawn, close, increment, ledger, post


def params(name: str, amount: int = 1, **more: Any) -> dict[str, Any]:
    return {"account": "a", "amount": amount, "name": name} | more


@pytest.fixture
async def other(durable_url: str, durable_db: ramax.Database) -> AsyncIterator[ramax.Database]:
    """A second handle on the database of ``durable_db``: to it, another process."""
    async with ramax.connect(durable_url) as database:
        yield database


@pytest.fixture
async def ours(durable_db: ramax.Database) -> ramax.ContentStore:
    return await durable_db.content_store("acme", ledger)


@pytest.fixture
async def theirs(other: ramax.Database, ours: ramax.ContentStore) -> ramax.ContentStore:
    return await other.content_store("acme", ledger)


# -- what this process remembers has been overtaken ----------------------------------------------


async def test_a_command_sees_what_another_process_has_written_since(
    ours: ramax.ContentStore, theirs: ramax.ContentStore, durable_url: str
) -> None:
    for number in range(5):
        await ours.execute(post, params(f"ours {number}"))
        await theirs.execute(post, params(f"theirs {number}"))
    assert (await ours.pstate.fetch("account:a"))["total"] == 10
    assert len((await audit(durable_url))["acme"].commands) == 10


async def test_a_no_on_an_overtaken_state_is_not_given(
    ours: ramax.ContentStore, theirs: ramax.ContentStore
) -> None:
    await ours.execute(post, params("first"))
    await theirs.execute(post, params("more", 9))
    commit = await ours.execute(post, params("spend", -10))
    assert commit.space_sequence == 3


async def test_a_yes_on_an_overtaken_state_is_not_given(
    ours: ramax.ContentStore, theirs: ramax.ContentStore
) -> None:
    await ours.execute(post, params("first"))
    await theirs.execute(post, params("spend", -1))
    with pytest.raises(Overdrawn):
        await ours.execute(post, params("spend again", -1))
    assert await ours.events.get_space_latest_sequence() == 2


async def test_no_events_on_an_overtaken_state_is_not_an_answer(
    ours: ramax.ContentStore, theirs: ramax.ContentStore
) -> None:
    assert (await ours.execute(close, params("nothing there"))).events == ()
    await theirs.execute(post, params("first"))
    assert len((await ours.execute(close, params("there now"))).events) == 1


async def test_an_expected_sequence_is_compared_with_the_newest(
    ours: ramax.ContentStore, theirs: ramax.ContentStore
) -> None:
    await ours.execute(post, params("first"))
    await theirs.execute(post, params("second"))
    with pytest.raises(ConcurrencyError) as caught:
        await ours.execute(post, params("third"), expected_sequence=1)
    assert (caught.value.expected, caught.value.actual) == (1, 2)
    await theirs.execute(post, params("third"))
    assert (await ours.execute(post, params("x"), expected_sequence=3)).space_sequence == 4


async def test_a_put_of_another_process_is_seen_though_it_appends_nothing(
    ours: ramax.ContentStore, theirs: ramax.ContentStore
) -> None:
    def note(state: Mapping[str, Any], _: Any) -> list[NewEvent]:
        return [NewEvent("noted", {"limit": state.get("limit")}, entity_id="note")]

    assert (await ours.execute(note)).events[0].payload["limit"] is None
    await theirs.pstate.put("limit", 7)
    assert (await ours.execute(note)).events[0].payload["limit"] == 7
    await theirs.pstate.delete("limit")
    assert (await ours.execute(note)).events[0].payload["limit"] is None
    await theirs.pstate.put("limit", 8)
    await theirs.rebuild_pstate()
    assert (await ours.execute(note)).events[0].payload["limit"] is None


async def test_a_space_that_another_process_deleted_is_not_found(
    durable_db: ramax.Database,
    other: ramax.Database,
    ours: ramax.ContentStore,
    theirs: ramax.ContentStore,
) -> None:
    await ours.execute(post, params("first"))
    await other.spaces.delete("acme", force=True)
    for step in _every_step(ours):
        with pytest.raises(SpaceNotFoundError):
            await step()
    again = await other.content_store("acme", ledger)
    assert (await again.execute(post, params("new life"))).space_sequence == 1
    for step in _every_step(ours):
        with pytest.raises(SpaceNotFoundError):
            await step()
    assert await again.events.get_space_latest_sequence() == 1


def _every_step(store: ramax.ContentStore) -> list[Callable[[], Any]]:
    return [
        lambda: store.execute(post, params("ghost")),
        lambda: store.execute(post, params("ghost", -5)),
        lambda: store.execute(close, params("ghost")),
        lambda: store.execute(post, params("ghost"), idempotency_key="k"),
        lambda: store.events.append("account:a", "posted", params("ghost")),
        lambda: store.pstate.get("account:a"),
        store.rebuild_pstate,
    ]


# -- the exact race: another process writes between our decision and our write (PostgreSQL) -------


class Interrupted:
    """A command during whose first run another process writes."""

    def __init__(self, command: Callable[..., Any], meanwhile: Callable[[], Any]) -> None:
        self._command, self._meanwhile = command, meanwhile
        self.runs: list[Any] = []

    def __call__(self, state: Mapping[str, Any], params: Any) -> Any:
        self.runs.append(dict(params) if params else None)
        if len(self.runs) == 1:
            state.get("account:a")  # what it decides on
            await_only(self._meanwhile())
        return self._command(state, params)


@pytest.fixture
async def race(postgres_url: str) -> AsyncIterator[tuple[ramax.ContentStore, ramax.ContentStore]]:
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        stores = [await each.content_store("acme", ledger) for each in (db, other)]
        await stores[0].execute(post, params("first"))
        yield stores[0], stores[1]


Race = tuple[ramax.ContentStore, ramax.ContentStore]


@pytest.mark.postgres
async def test_whoever_loses_the_race_decides_again(race: Race, postgres_url: str) -> None:
    ours, theirs = race
    command = Interrupted(post, lambda: theirs.execute(post, params("theirs")))
    commit = await ours.execute(command, params("ours", parts=2))
    assert commit.space_sequence == 4
    assert len(command.runs) > 1
    assert command.runs[0] == command.runs[-1]
    assert (await audit(postgres_url))["acme"].commands == ["first", "theirs", "ours"]


@pytest.mark.postgres
async def test_a_no_that_lost_the_race_is_decided_again(race: Race, postgres_url: str) -> None:
    ours, theirs = race
    command = Interrupted(post, lambda: theirs.execute(post, params("theirs", 9)))
    await ours.execute(command, params("ours", -10))
    assert (await audit(postgres_url))["acme"].state["account:a"]["total"] == 0


@pytest.mark.postgres
async def test_a_yes_that_lost_the_race_becomes_a_no(race: Race, postgres_url: str) -> None:
    ours, theirs = race
    command = Interrupted(post, lambda: theirs.execute(post, params("theirs", -1)))
    with pytest.raises(Overdrawn):
        await ours.execute(command, params("ours", -1))
    assert (await audit(postgres_url))["acme"].commands == ["first", "theirs"]


@pytest.mark.postgres
async def test_a_failure_that_lost_the_race_is_decided_again(race: Race) -> None:
    """Half old and half new state can break a command in any way; nobody is to see that."""
    ours, theirs = race

    def needs(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
        return [NewEvent("seen", {"total": state["account:b"]["total"]}, entity_id="seen")]

    command = Interrupted(needs, lambda: theirs.execute(post, params("theirs", 5, account="b")))
    assert (await ours.execute(command)).events[0].payload["total"] == 5


@pytest.mark.postgres
async def test_no_events_that_lost_the_race_are_decided_again(race: Race) -> None:
    ours, theirs = race
    command = Interrupted(
        lambda state, p: close(state, {**p, "account": "b"}),
        lambda: theirs.execute(post, params("theirs", account="b")),
    )
    assert len((await ours.execute(command, params("ours"))).events) == 1


@pytest.mark.postgres
async def test_only_the_space_that_lost_the_race_is_decided_again(
    race: Race, postgres_url: str
) -> None:
    ours, theirs = race
    beside = [await _store_beside(ours, name) for name in ("globex", "initech")]
    command = Interrupted(post, lambda: theirs.execute(post, params("theirs")))
    calls: list[str] = []

    def counted(state: Mapping[str, Any], p: Mapping[str, Any]) -> list[NewEvent]:
        calls.append(p["name"])
        return post(state, p)

    answers = await asyncio.gather(
        beside[0].execute(counted, params("b0")),
        ours.execute(command, params("ours")),
        ours.execute(post, params("no", -100)),
        beside[1].execute(counted, params("b1")),
        ours.execute(post, params("ours too")),
        return_exceptions=True,
    )
    results = list(answers)
    assert isinstance(results.pop(2), Overdrawn)
    assert all(isinstance(result, ramax.Commit) for result in results)
    found = await audit(postgres_url)
    assert found["acme"].commands == ["first", "theirs", "ours", "ours too"]
    assert [found[name].commands for name in ("globex", "initech")] == [["b0"], ["b1"]]


async def _store_beside(store: ramax.ContentStore, name: str) -> ramax.ContentStore:
    space = await store._core.get_or_create(name, None)
    return ramax.ContentStore(store._core, space, ledger)


@pytest.mark.postgres
async def test_whoever_loses_every_race_waits_for_the_lock_in_the_end(
    race: Race, postgres_url: str
) -> None:
    ours, theirs = race
    runs = 0

    def unlucky(state: Mapping[str, Any], p: Any) -> list[NewEvent]:
        nonlocal runs
        runs += 1
        if runs <= 6:  # under the lock it would wait for itself
            await_only(theirs.execute(post, params(f"theirs {runs}")))
        return post(state, p)

    def lucky_under_lock(state: Mapping[str, Any], p: Any) -> list[NewEvent]:
        nonlocal runs
        if ours.space.space_id in ours._core.writer._lanes:
            return post(state, p)
        return unlucky(state, p)

    commit = await ours.execute(lucky_under_lock, params("ours"))
    found = (await audit(postgres_url))["acme"]
    assert found.commands[-1] == "ours"
    assert commit.space_sequence == len(found.commands) == runs + 2


async def test_commands_of_two_processes_interleave_without_a_gap(
    ours: ramax.ContentStore, theirs: ramax.ContentStore, durable_url: str
) -> None:
    async def count(store: ramax.ContentStore) -> None:
        for _ in range(20):
            await store.execute(increment)

    await asyncio.gather(*[count(store) for store in (ours, theirs) for _ in range(4)])
    assert (await audit(durable_url))["acme"].state == {"counter": 160}


# -- what a command may do to its batch ----------------------------------------------------------


@pytest.mark.parametrize("raised", [asyncio.CancelledError, GeneratorExit, MemoryError])
async def test_a_command_that_raises_what_nobody_should_fails_alone(
    db: ramax.Database, raised: type[BaseException]
) -> None:
    store = await db.content_store("acme", ledger)

    def strange(state: Mapping[str, Any], _: Any) -> list[NewEvent]:
        raise raised

    before = store.execute(post, params("before"))
    after = store.execute(post, params("after"))
    results = await asyncio.gather(before, store.execute(strange), after, return_exceptions=True)
    assert isinstance(results[0], ramax.Commit)
    assert isinstance(results[2], ramax.Commit)
    assert isinstance(results[1], (ramax.MisuseError, MemoryError))
    assert (await store.execute(post, params("next"))).space_sequence == 3
