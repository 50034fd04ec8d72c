"""One space inside a transaction: found however it is named, its verbs, its pstate as of now."""

from typing import Any

import pytest

import ramax
from ramax import NewEvent, Ref
from ramax.errors import (
    DataError,
    KeyNotFoundError,
    MisuseError,
    Rejected,
    SpaceNameError,
    SpaceNotFoundError,
)
from tests._domains import add, counter, documents, nothing, put, refuse


async def test_a_space_is_named_by_itself_its_name_its_id_or_a_store(db: ramax.Database) -> None:
    domain = counter()
    store = await db.content_store("acme", domain)
    other = await db.content_store("other", domain)
    async with db.transaction(store, other) as tx:
        for given in (store, store.space, "acme", store.space.space_id):
            await tx.at(given).execute(add)
        assert await tx.at("acme").pstate.get("n") == 4
        assert await tx.at(other).pstate.get("n", "none") == "none"
        with pytest.raises(SpaceNotFoundError):
            await tx.at(99).execute(add)
        with pytest.raises(SpaceNameError):
            await tx.at("No Name").execute(add)
    assert await store.pstate.get("n") == 4


async def test_a_name_that_is_not_there_is_empty_until_the_first_write(db: ramax.Database) -> None:
    async with db.transaction("acme") as tx:
        new = tx.at("new", counter())
        assert await new.pstate.get("n") is None
        with pytest.raises(Rejected):
            await new.execute(refuse)
        assert (await new.execute(nothing)).events == ()
        assert await tx.look("new") is None
        await new.execute(add)
        assert await new.pstate.get("n") == 1
    assert await db.pstate.get("new", "n") == 1


async def test_a_space_that_a_transaction_made_goes_with_its_rollback(db: ramax.Database) -> None:
    with pytest.raises(RuntimeError):
        async with db.transaction("acme") as tx:
            await tx.at("new", counter()).execute(add)
            raise RuntimeError
    assert not await db.spaces.exists("new")
    async with db.transaction("acme") as tx:
        await tx.at("new", counter()).execute(add)
    assert await db.events.get_space_latest_sequence("new") == 1


async def test_bad_input_is_refused_and_leaves_the_transaction_usable(db: ramax.Database) -> None:
    store = await db.content_store("acme", counter())
    async with store.transaction() as tx:
        scope: Any = tx.at("acme")
        for error, step in (
            (MisuseError, lambda: scope.execute("add")),
            (DataError, lambda: scope.execute(add, expected_sequence=-1)),
            (DataError, lambda: scope.execute(add, causation_id=0)),
            (DataError, lambda: scope.append("n", "added", {"by": 1}, expected_sequence="1")),
            (DataError, lambda: scope.append("", "added", {"by": 1})),
            (DataError, lambda: scope.append("n", "added", {"by": object()})),
            (MisuseError, lambda: scope.append_many(["added"])),
            (DataError, lambda: scope.pstate.get("")),
            (DataError, lambda: tx.at(1.5).execute(add)),
            (Rejected, lambda: scope.execute(refuse)),
        ):
            with pytest.raises(error):
                await step()
        assert (await scope.execute(add)).space_sequence == 1
    assert await store.pstate.get("n") == 1


async def test_the_pstate_shows_what_the_transaction_appended(db: ramax.Database) -> None:
    store = await db.content_store("acme", counter())
    async with store.transaction() as tx:
        event = await tx.append("n", "added", {"by": 2}, causation_id=9, correlation_id="c")
        assert (event.space_sequence, event.causation_id, event.correlation_id) == (1, 9, "c")
        new = [ramax.NewEvent("added", {"by": by}) for by in (3, 4)]
        assert [each.space_sequence for each in await tx.append_many(new)] == [2, 3]
        assert await tx.pstate.get_many(["n", "absent"]) == {"n": 9}
        assert (await tx.execute(add, expected_sequence=3)).space_sequence == 4
    assert await store.pstate.get("n") == 10


async def test_what_a_transaction_wrote_is_resolved_scanned_and_followed(
    db: ramax.Database,
) -> None:
    store = await db.content_store("acme", documents())
    await store.execute(put, ("a", {"to": Ref("b")}))
    async with db.transaction("acme") as tx:
        values = tx.at(store).pstate
        await tx.at(store).execute(put, ("b", {"to": Ref("c")}))
        await tx.at(store).append("c", "doc.put", {"end": True})  # raw: the gap is folded first
        assert [pair async for pair in values.scan("b")] == [("b", {"to": Ref("c")})]
        assert await values.get_resolved("a") == {"to": {"to": {"end": True}}}
        assert await values.get_path("a", "to.to.end", follow=True) is True
        assert await values.fetch("c") == {"end": True}
        assert [key async for key, _ in values.scan(limit=2)] == ["a", "b"]
        assert [key async for key, _ in values.scan(after="a")] == ["b", "c"]
        with pytest.raises(KeyNotFoundError, match="'acme' has no key 'x'"):
            await values.fetch("x")


async def test_a_scan_in_a_transaction_is_paged_and_sees_what_is_written_ahead(
    db: ramax.Database,
) -> None:
    def fill(state: Any, params: Any) -> list[NewEvent]:
        return [NewEvent("doc.put", {}, entity_id=f"k{n:05}") for n in range(1500)]

    store = await db.content_store("acme", documents())
    async with store.transaction() as tx:
        await tx.execute(fill)
        scan = tx.pstate.scan()
        seen = [(await anext(scan))[0]]
        await tx.execute(put, ("k99999", {}))
        seen += [key async for key, _ in scan]
    assert seen == [*(f"k{n:05}" for n in range(1500)), "k99999"]
