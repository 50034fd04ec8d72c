"""One worker keeps one layer up to date, through whatever the layer does."""

import asyncio
import logging
from functools import partial

import pytest

import ramax
from ramax import SpaceManager
from ramax.errors import LayerAuthError, LayerUnavailableError
from ramax.storage.cancellation import to_its_end
from ramax.sync import layer_worker
from ramax.sync.layer import Incoming
from ramax.sync.memory_layer import MemoryLayer
from tests.core.sync._records import ANNE, records
from tests.secrets._vaults import OneKey
from tests.sync._managers import PATIENCE, Places, layer_tasks, manager_on, until, wait_for, write


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


async def test_flushing_asks_the_layer_and_not_what_is_remembered_of_it(sqlite_url):
    """B16: it was reset while nobody was connected."""
    places = Places("server")
    async with manager_on(sqlite_url, places) as manager:
        await write(await manager.create("notes"), "a", "b")
        await manager.flush("notes")
    places["server"].reset()
    gate = asyncio.Event()
    wait_for(places, "server", gate)
    async with manager_on(sqlite_url, places) as manager:
        await manager.load("notes")
        flushing = asyncio.create_task(manager.flush("notes"))
        await until(lambda: bool(places.layers["server"][1:]))
        await manager.status("notes")
        assert not flushing.done()
        gate.set()
        await flushing
        assert sum(places["server"].vector.values()) == 2


# -- letting go ----------------------------------------------------------------------------------


class Stubborn(MemoryLayer):
    """Does not let go before it is released, as what hangs in a file system that is away."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.released = asyncio.Event()
        setattr(self, verb, self._stays)

    async def _stays(self, *_):
        await to_its_end(self.released.wait())
        raise LayerUnavailableError("memory", "it took too long")


@pytest.mark.parametrize("verb", ["open", "write", "aclose"])
async def test_a_layer_that_never_lets_go_is_left_behind(memory_url, monkeypatch, caplog, verb):
    monkeypatch.setattr(layer_worker, "_PATIENCE", 0.05)
    layer = Stubborn(verb)
    async with manager_on(memory_url, lambda _ref: [layer], flush_timeout=0.05) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        async with asyncio.timeout(PATIENCE):
            await manager.close("notes")
        assert "does not let go" in caplog.text
        layer.released.set()
        await until(lambda: layer_tasks() == [])


class HoldsUpSecrets(MemoryLayer):
    async def save_secrets(self, _sealed):
        await asyncio.Event().wait()


async def test_closing_waits_for_secrets_no_longer_than_for_events(memory_url):
    layer = HoldsUpSecrets()
    async with ramax.connect(memory_url, keys=OneKey()) as db:
        async with SpaceManager(db, lambda _ref: [layer], flush_timeout=0.05) as manager:
            store = await manager.create("notes")
            await manager.flush("notes")
            await store.secrets.set("name", "value")
            async with asyncio.timeout(PATIENCE):
                await manager.close("notes")
        assert layer_tasks() == []


class FailsToClose(MemoryLayer):
    async def aclose(self):
        await super().aclose()
        raise OSError("cannot be closed")


async def test_a_layer_that_cannot_be_closed_is_tried_again_all_the_same(memory_url, caplog):
    layer = FailsToClose()
    layer.faults.errors.append(LayerUnavailableError("memory", "for a moment"))
    async with manager_on(memory_url, lambda _ref: [layer]) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        async with asyncio.timeout(PATIENCE):
            await manager.flush("notes")
    assert "cannot be closed" in caplog.text


async def test_who_stops_waiting_for_the_closing_leaves_no_worker_behind(memory_url):
    places = Places("server")
    async with manager_on(memory_url, places, flush_timeout=PATIENCE) as manager:
        store = await manager.create("notes")
        await manager.flush("notes")
        places.layer("server").faults.delay = 3600
        await write(store, "a")
        closing = asyncio.create_task(manager.close("notes"))
        await until(lambda: manager.get("notes") is None)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert layer_tasks() == []


@pytest.mark.parametrize("what", ["deleted", "closed"])
async def test_what_was_taken_away_under_a_manager_is_let_go_all_the_same(memory_url, what):
    async with ramax.connect(memory_url) as db, SpaceManager(db, Places("server")) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        await manager.flush("notes")
        if what == "deleted":
            await db.spaces.delete("notes", force=True)
        else:
            await db.close()
        await manager.close("notes")
        assert layer_tasks() == []
