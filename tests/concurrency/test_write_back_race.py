"""Write-back of older shapes against commands on the same keys: nothing is undone, nothing comes back."""

import asyncio
import random
from typing import Any

import pytest

import ramax
from ramax import ContentStore
from ramax.core.state import unpack
from ramax.storage.reads import read_range
from tests._cards import cards, drop, edit, old_cards, put

KEYS = [f"card:{n}" for n in range(20)]
SPACES = ("a", "b")
COMMANDS = 500
"""In each of the two spaces."""


def old_value(mark: Any) -> dict[str, Any]:
    return {"front": f"{mark}", "tags": "x,y", "level": "1", "deck_id": "d"}


def some(rng: random.Random, mark: Any) -> tuple[bool, Any, Any]:
    """A command: whether it is an older process that gives it, what it does, and to what."""
    key, kind = rng.choice(KEYS), rng.random()
    if kind < 0.4:
        return True, put, (key, old_value(mark))
    if kind < 0.6:
        return False, drop, key
    return False, edit, (key, rng.choice(["front", "back"]), f"{mark}")


async def work(new: ContentStore, old: ContentStore, seed: str) -> None:
    rng = random.Random(seed)
    for number in range(COMMANDS // 10):
        older, command, params = some(rng, f"{seed}-{number}")
        await (old if older else new).execute(command, params)


async def read(store: ContentStore, done: asyncio.Event) -> None:
    while not done.is_set():
        await store.pstate.get_many(KEYS)
        await asyncio.sleep(0)


async def expected(store: ContentStore) -> dict[str, Any]:
    """The fold of the events, on a dict, without a store."""
    schema, state = cards().schema, {}
    async for event in store.events.stream_space_events():
        key, payload = event.entity_id, event.payload
        if event.event_type == "set":
            state[key] = payload["value"]
        elif event.event_type == "dropped":
            state.pop(key, None)
        elif key in state:
            state[key] = {**schema.read(key, state[key]), payload["field"]: payload["value"]}
    return {key: schema.read(key, value) for key, value in state.items()}


async def race(databases: list[ramax.Database]) -> None:
    db = databases[0]
    stores = []
    for name in SPACES:
        old = await db.content_store(name, old_cards())
        for key in KEYS:
            await old.execute(put, (key, old_value(name)))
        stores += [
            (await each.content_store(name, cards()), await each.content_store(name, old_cards()))
            for each in databases
        ]
    done = asyncio.Event()
    readers = [asyncio.create_task(read(new, done)) for new, _ in stores]
    share = 10 // len(databases)
    await asyncio.gather(
        *(
            work(new, old, f"{new.space.space_name}{at}-{n}")
            for at, (new, old) in enumerate(stores)
            for n in range(share)
        )
    )
    done.set()
    await asyncio.gather(*readers)
    written = [new.pstate.migration_stats().written for new, _ in stores]
    assert sum(written) > 10  # there was a race at all
    for new, _ in stores:
        wanted = await expected(new)
        assert await new.events.get_space_latest_sequence() == len(KEYS) + COMMANDS
        assert {key: value async for key, value in new.pstate.scan()} == wanted
        await new.pstate.flush_migrations()
        await new.migrate_pstate()
        assert {key: value async for key, value in new.pstate.scan()} == wanted
        packed = await db._core.read(lambda ex, n=new: read_range(ex, n.space.space_id, "", "~"))  # type: ignore[misc]
        assert {key: unpack(value) for key, value in packed.items()} == wanted
        [report] = [each async for each in db.verify(new.space, cards("off"))]
        assert report.findings == ()


async def test_write_back_beside_commands_comes_to_the_fold_of_the_events(url):
    async with ramax.connect(url, write_back_interval=0, write_back_batch=7) as db:
        await race([db])


async def test_two_processes_write_back_beside_each_others_commands(durable_url):
    async with (
        ramax.connect(durable_url, write_back_interval=0, write_back_batch=7) as one,
        ramax.connect(durable_url, write_back_interval=0.01, write_back_batch=50) as other,
    ):
        await race([one, other])


@pytest.mark.nightly
@pytest.mark.parametrize("number", range(10))
async def test_write_back_beside_commands_again_and_again(url, number):
    async with ramax.connect(url, write_back_interval=0, write_back_batch=1 + number) as db:
        await race([db])


async def test_write_back_and_rebuilds_do_not_undo_each_other(durable_url):
    """The rebuild stores the older shape anew each time, as its applicators are of that version."""
    async with (
        ramax.connect(durable_url, write_back_interval=0, write_back_batch=5) as one,
        ramax.connect(durable_url, write_back_interval=None) as other,
    ):
        old = await one.content_store("a", old_cards())
        for key in KEYS:
            await old.execute(put, (key, old_value(key)))
        reader = await one.content_store("a", cards("off"))
        rebuilder = await other.content_store("a", cards("off"))
        wanted = await expected(reader)
        done = asyncio.Event()

        async def rebuild() -> None:
            for number in range(8):
                await rebuilder.rebuild_pstate()
                await rebuilder.execute(edit, (KEYS[number], "back", "again"))
                wanted[KEYS[number]] = wanted[KEYS[number]] | {"back": "again"}
            done.set()

        rebuilding = asyncio.create_task(rebuild())
        while not done.is_set():
            found = await reader.pstate.get_many(KEYS)
            assert {k: v | {"back": ""} for k, v in found.items()} == {
                k: v | {"back": ""} for k, v in wanted.items()
            }
        await rebuilding
        assert await reader.pstate.get_many(KEYS) == wanted
        assert reader.pstate.migration_stats().written > len(KEYS)
        await reader.migrate_pstate()
        assert await reader.pstate.get_many(KEYS) == wanted
        [report] = [each async for each in one.verify("a", cards("off"))]
        assert report.findings == ()
