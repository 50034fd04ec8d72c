"""Pending commands on top of what is stored, in memory."""

import pytest

from ramax.core.codec import encode
from ramax.errors import KeyNotFoundError
from ramax.runtime.commands import name_of
from ramax.storage import pending
from ramax.storage.pending import PendingRow
from ramax.sync.overlay import Overlay, OverlayState
from tests.sync._booking import Taken, book, booking, count, rows


@pytest.fixture
async def store(db):
    store = await db.content_store("plane", booking)
    await store.execute(book, ("1a", "ann", "x"))
    return store


@pytest.fixture
def overlay(db, store):
    return Overlay(db._core, store.space, booking, {name_of(each): each for each in (book, count)})


async def add(db, store, letter, command, params):
    row = PendingRow(0, letter * 16, name_of(command), encode(params, "params"), 7)
    await db._core.locked("test", lambda ex: pending.add(ex, store.space.space_id, row))


async def test_it_is_run_again_only_when_something_has_changed(db, store, overlay):
    await add(db, store, b"a", count, (1, "a"))
    first = await overlay.read(lambda _ex, outlook: outlook)
    assert await overlay.read(lambda _ex, outlook: outlook) is first
    await store.execute(count, (10, "b"))
    state = OverlayState(overlay)
    assert await state.get("sum") == 11
    await add(db, store, b"b", count, (5, "c"))
    assert await state.get("sum") == 16
    assert await store.pstate.get("sum") == 10


async def test_what_fails_on_top_changes_nothing_and_is_known(db, store, overlay):
    await add(db, store, b"a", book, ("1a", "bob", "a"))
    await add(db, store, b"b", book, ("1b", "bob", "b"))
    outlook = await overlay.read(lambda _ex, found: found)
    assert {uid[:1]: type(error) for uid, error in outlook.errors.items()} == {b"a": Taken}
    state = OverlayState(overlay)
    assert await rows(state) == {"seat:1a": "ann", "seat:1b": "bob"}
    with pytest.raises(KeyNotFoundError):
        await state.fetch("seat:9")
    await store.rebuild_pstate()
    assert await rows(state) == {"seat:1a": "ann", "seat:1b": "bob"}


async def test_events_that_are_not_folded_yet_are_folded_first(db, store, overlay):
    await db.events.append("plane", "sum", "sum.added", {"more": 4, "id": "raw"})
    await add(db, store, b"a", count, (1, "a"))
    assert await OverlayState(overlay).get("sum") == 5
