"""What must be true before the writer gets a command; `default` has no row until it needs one."""

from typing import Any

import pytest

import ramax
from ramax.errors import DataError, IdempotencyConflictError, MisuseError, Rejected
from tests._domains import add, add_read, counter, nothing, refuse


async def test_what_adds_nothing_gives_default_no_row(db: ramax.Database) -> None:
    store = await db.content_store("default", counter())
    with pytest.raises(Rejected):
        await store.execute(refuse)
    with pytest.raises(DataError):
        await store.execute(add, object())
    with pytest.raises(ramax.ConcurrencyError):
        await store.execute(add, expected_sequence=1)
    assert (await store.execute(nothing)).space_sequence == 0
    assert (await db.content_store("default")).space.space_id == 0
    assert (await store.execute(add)).space_sequence == 1
    assert (await db.content_store("default")).space.space_id > 0


async def test_a_key_stands_for_a_command_and_its_params(db: ramax.Database) -> None:
    store = await db.content_store("acme", counter())
    first = await store.execute(add, 2, idempotency_key="k")
    again = await store.execute(add, 2, idempotency_key="k")
    assert (again.events, again.replayed) == (first.events, True)
    for command, params in ((add, 3), (add_read, 2), (add, "2")):
        with pytest.raises(IdempotencyConflictError):
            await store.execute(command, params, idempotency_key="k")
    assert await store.pstate.get("n") == 2


async def test_a_key_stands_for_appended_facts(db: ramax.Database) -> None:
    store = await db.content_store("acme", counter())
    event = await store.events.append("n", "added", {"by": 1}, idempotency_key="k")
    assert await store.events.append("n", "added", {"by": 1}, idempotency_key="k") == event
    for entity, type_, by in (("m", "added", 1), ("n", "other", 1), ("n", "added", 2)):
        with pytest.raises(IdempotencyConflictError):
            await store.events.append(entity, type_, {"by": by}, idempotency_key="k")
    assert await store.events.get_space_latest_sequence() == 1


async def test_bad_arguments_are_refused_before_the_command_runs(db: ramax.Database) -> None:
    store = await db.content_store("acme", counter())
    ran: list[object] = []

    def command(state: object, params: object) -> list[ramax.NewEvent]:
        ran.append(params)
        return []

    with pytest.raises(MisuseError):
        await store.execute("add")  # type: ignore[arg-type]
    bad: list[Any] = [{"expected_sequence": -1}, {"idempotency_key": ""}, {"causation_id": 0}]
    for wrong in bad:
        with pytest.raises(DataError):
            await store.execute(command, **wrong)
    assert ran == []
