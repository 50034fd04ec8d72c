"""One worker keeps one layer up to date, through whatever the layer does."""

import asyncio
import logging
from functools import partial

import ramax
from ramax import SpaceManager
from ramax.errors import LayerAuthError
from ramax.sync.layer import Incoming
from ramax.sync.memory_layer import MemoryLayer
from tests.core.sync._records import ANNE, records
from tests.sync._managers import PATIENCE, Places, manager_on, until, write


async def test_what_is_written_while_the_layer_is_away_is_pushed_when_it_is_back(memory_url):
    """B5, B6: through failures in the middle of a batch, and lost answers."""
    places = Places("server")
    places.prepare["server"] = lambda layer: setattr(layer, "max_records", 3)
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        layer = places.layer("server")
        for round_ in range(4):
            layer.faults.lose_answers = 2
            await write(store, *(f"{round_}.{n}" for n in range(7)))
            layer.cut()
            await write(store, f"{round_} offline")
            layer.mend()
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 32


async def test_a_layer_of_somebody_else_may_raise_anything(memory_url, caplog):
    places = Places("odd", "good")
    places.prepare["odd"] = lambda layer: layer.faults.errors.append(KeyError("odd"))
    with caplog.at_level(logging.ERROR, "ramax.sync"):
        async with manager_on(memory_url, places) as manager:
            store = await manager.create("notes")
            await write(store, "a")
            await manager.flush("notes", "good")
            manager.retry("notes")
            await until(partial(_has_failed, manager, "odd"))
            manager.retry("notes")
            await manager.flush("notes")
    assert "unknown way" in caplog.text
    assert places["odd"].records == places["good"].records


async def _has_failed(manager: SpaceManager, layer: str) -> bool:
    status = (await manager.status("notes"))[layer]
    return status.last_error is not None or status.connected


class EndsAtOnce(MemoryLayer):
    async def changes(self, _since):
        yield Incoming(caught_up=True)


async def test_changes_that_end_are_a_connection_that_was_lost(memory_url):
    async with manager_on(memory_url, lambda _ref: [EndsAtOnce()]) as manager:
        heard = manager.events()
        await manager.create("notes")
        async with asyncio.timeout(PATIENCE):
            async for event in heard:
                if event.kind == "disconnected":
                    break
        assert event.error is not None
        assert "ended the connection" in str(event.error)


async def test_a_space_that_is_deleted_ends_the_work_on_it(memory_url):
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        await manager.flush("notes")
        await manager.primary.spaces.delete("notes", force=True)
        worker = manager._open["notes"][0].workers["server"]
        await until(lambda: worker.state == "closed")


async def test_an_error_that_needs_somebody_is_told_and_tried_seldom(memory_url):
    places = Places("server")
    places.prepare["server"] = lambda layer: layer.faults.errors.append(
        LayerAuthError("server", "no")
    )
    async with manager_on(memory_url, places, last_retry=3600) as manager:
        await manager.create("notes")
        await until(partial(_has_failed, manager, "server"))
        status = (await manager.status("notes"))["server"]
        assert status.retry_at is not None
        assert status.failed_at is not None
        assert (status.retry_at - status.failed_at).total_seconds() > 1000
        assert status.failures == 1


async def test_the_cursor_is_remembered_for_who_asks_later(sqlite_url):
    places = Places("server")
    async with manager_on(sqlite_url, places) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        await manager.flush("notes")
    async with ramax.connect(sqlite_url) as db, SpaceManager(db) as manager:
        status = (await manager.status("notes"))["server"]
        assert (status.state, status.behind) == ("closed", 0)


async def test_a_layer_that_has_more_of_this_origin_gives_it_back(memory_url):
    """B18: this replica is an older copy of itself; what it once wrote is still elsewhere."""
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        await manager.create("notes")
        await manager.flush("notes")
        places["server"].add("notes", records(ANNE, 1, 4))
        heard = manager.events()
        await until(partial(_holds, manager, 4))
        await manager.flush("notes")
        assert heard._queue.qsize() > 0


async def _holds(manager: SpaceManager, count: int) -> bool:
    return bool((await manager.primary.spaces.stats("notes")).event_count == count)
