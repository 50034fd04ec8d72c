"""A command that fails leaves nothing anywhere, and does not disturb who waits beside it."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import pytest
import sqlalchemy as sa

import ramax
from ramax import Domain, Event, NewEvent, Rejected
from ramax.errors import CodecError, DataError, StorageError
from tests.concurrency._audit import audit, dump
from tests.concurrency._ledger import ledger, post

faulty = Domain("faulty", entity_id=lambda payload: payload["id"])


def three(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    return [NewEvent("step", {**params, "id": f"e{number}"}) for number in (1, 2, 3)]


@faulty.applicator("step")
def _step(state: MutableMapping[str, Any], event: Event) -> None:
    state.setdefault("seen", []).append(event.entity_id)
    state[event.entity_id] = dict(event.payload)
    if event.payload.get("poison") == event.entity_id:
        raise ZeroDivisionError(event.entity_id)
    if event.payload.get("bad value") == event.entity_id:
        state["bad"] = object()
    if event.payload.get("swallow") == event.entity_id:
        state["gone"] = 1
        del state["gone"], state["seen"]


def fine(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    return [NewEvent("step", params)]


def bad_payload(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    return [*three(state, {}), NewEvent("step", {"id": "e4", "value": object()})]


def no_entity(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    return [*three(state, {}), NewEvent("step", {})]


def too_long(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    return [*three(state, {}), NewEvent("step", {"id": "x" * 2000})]


def rubbish(state: Mapping[str, Any], params: Any) -> Any:
    return [*three(state, {}), "not an event"]


def refuse(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    raise Rejected("no")


def bottomless(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    return bottomless(state, params)


def deep(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]
    return [NewEvent("step", {"id": "e1", "value": value})]


FAILURES: list[tuple[Callable[..., Any], dict[str, Any], type[BaseException]]] = [
    (three, {"poison": "e2"}, ZeroDivisionError),
    (three, {"poison": "e3"}, ZeroDivisionError),
    (three, {"bad value": "e3"}, CodecError),
    (bad_payload, {}, CodecError),
    (no_entity, {}, DataError),
    (too_long, {}, DataError),
    (rubbish, {}, ramax.MisuseError),
    (refuse, {}, Rejected),
    (bottomless, {}, RecursionError),
    (deep, {}, CodecError),
]


@pytest.mark.parametrize(
    ("command", "params", "error"), FAILURES, ids=[f"{c.__name__} {p}" for c, p, _ in FAILURES]
)
async def test_a_failing_command_leaves_nothing(
    durable_url: str,
    command: Callable[..., Any],
    params: dict[str, Any],
    error: type[BaseException],
) -> None:
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", faulty)
        await store.execute(fine, {"id": "first"})
        before = await dump(durable_url)
        for key in (None, "k"):
            with pytest.raises(error):
                await store.execute(command, params, idempotency_key=key)
            with pytest.raises(error):
                await store.execute_many(
                    [(fine, {"id": "before"}), (command, params)], idempotency_key=key
                )
        assert await dump(durable_url) == before
        assert (await store.execute(fine, {"id": "after"})).space_sequence == 2


async def test_only_the_guilty_fail_in_a_batch(db: ramax.Database) -> None:
    acme, globex = [await db.content_store(name, faulty) for name in ("acme", "globex")]
    waiting = []
    for number, (command, params, _) in enumerate(FAILURES):
        waiting += [
            acme.execute(fine, {"id": f"before {number}"}),
            acme.execute(command, params),
            globex.execute(fine, {"id": f"beside {number}"}),
            acme.execute(fine, {"id": f"after {number}"}, idempotency_key=f"k{number}"),
        ]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    for number, (_, _, error) in enumerate(FAILURES):
        before, guilty, beside, after = results[4 * number : 4 * number + 4]
        assert isinstance(guilty, error)
        assert all(isinstance(each, ramax.Commit) for each in (before, beside, after))
    assert await acme.events.get_space_latest_sequence() == 2 * len(FAILURES)
    assert await acme.get_checkpoint() == 2 * len(FAILURES)
    assert len(await acme.pstate.fetch("seen")) == 2 * len(FAILURES)
    assert await globex.pstate.fetch("seen") == [f"beside {n}" for n in range(len(FAILURES))]


async def test_what_the_database_refuses_fails_alone(durable_url: str) -> None:
    """A unique index that an administrator has added: the second of two equal ids is refused."""
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", ledger)
        async with db.engine.begin() as connection:
            await connection.execute(
                sa.text("CREATE UNIQUE INDEX of_the_user ON events (correlation_id)")
            )
        results = await asyncio.gather(
            *[
                store.execute(
                    post,
                    {"account": "a", "amount": 1, "name": f"n{number}", "parts": 1},
                    correlation_id="twice" if number in (5, 9) else f"c{number}",
                    idempotency_key=f"k{number}" if number % 2 else None,
                )
                for number in range(20)
            ],
            return_exceptions=True,
        )
        failed = [number for number, each in enumerate(results) if isinstance(each, Exception)]
        assert len(failed) == 1
        assert failed[0] in (5, 9)
        assert isinstance(results[failed[0]], StorageError)
        before = await dump(durable_url)
        with pytest.raises(StorageError, match="(?i)unique"):
            await store.execute(
                post,
                {"account": "a", "amount": 1, "name": "again", "parts": 1},
                correlation_id="twice",
                idempotency_key="k again",
            )
        assert await dump(durable_url) == before
        await store.execute(post, {"account": "a", "amount": 1, "name": "n20"})
    found = (await audit(durable_url))["acme"]
    assert sorted(found.commands) == sorted(
        f"n{number}" for number in range(21) if number not in failed
    )


@pytest.mark.parametrize("table", ["events", "pstate_entities", "projection_checkpoints"])
async def test_a_row_that_a_trigger_refuses_takes_its_whole_command_along(
    durable_url: str, table: str
) -> None:
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, {"account": "a", "amount": 1, "name": "first"})
        await _refuse_writes(db, table)
        before = await dump(durable_url)
        with pytest.raises(StorageError):
            await store.execute(post, {"account": "b", "amount": 1, "name": "no", "parts": 3})
        with pytest.raises(StorageError):
            await store.execute(
                post, {"account": "b", "amount": 1, "name": "no"}, idempotency_key="k"
            )
        assert await dump(durable_url) == before
        await _allow_writes(db, table)
        await store.execute(post, {"account": "b", "amount": 1, "name": "yes"})
    assert (await audit(durable_url))["acme"].commands == ["first", "yes"]


async def _refuse_writes(db: ramax.Database, table: str) -> None:
    if db.engine.dialect.name == "sqlite":
        statements = [
            f"CREATE TRIGGER refuse_{verb} BEFORE {verb} ON {table}"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            for verb in ("INSERT", "UPDATE")
        ]
    else:
        raising = "$$ BEGIN RAISE EXCEPTION 'refused'; END $$"
        trigger = f"BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        statements = [
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS {raising}",
            f"CREATE TRIGGER refuse {trigger}",
        ]
    async with db.engine.begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


async def _allow_writes(db: ramax.Database, table: str) -> None:
    sqlite = db.engine.dialect.name == "sqlite"
    names = ["refuse_INSERT", "refuse_UPDATE"] if sqlite else [f"refuse ON {table}"]
    async with db.engine.begin() as connection:
        for name in names:
            await connection.execute(sa.text(f"DROP TRIGGER {name}"))
