"""A server in a process of its own, killed and started again, and devices that work meanwhile."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

import ramax
from ramax import Follower, SpaceManager
from ramax.core.sync.backoff import Backoff
from ramax.sync.http_layer import HttpLayer
from ramax.sync.websocket_layer import WebSocketLayer
from tests.sync._booking import COMMANDS, Taken, applied, book, booking, rows

PATIENCE = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def start(url: str, port: int, program: str = "serve") -> asyncio.subprocess.Process:
    """Start the server, and return when it takes connections."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.web._programs.{program}", url, str(port)
    )
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert process.returncode is None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return process


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def device(way: str, port: int, name: str, path: Path) -> AsyncIterator[SpaceManager]:
    """A database file whose spaces are kept at the server."""

    def layers_for(_ref):
        if way == "http":
            return [HttpLayer(f"http://127.0.0.1:{port}", token=name, layer_id="server")]
        url = f"ws://127.0.0.1:{port}/socket"
        return [WebSocketLayer(url, token=name, layer_id="server")]

    async with (
        ramax.connect(path / f"{name}.db") as db,
        SpaceManager(db, layers_for, first_retry=0.02, last_retry=0.2) as manager,
    ):
        yield manager


async def value(store, key: str, wanted: object) -> None:
    """Wait until a key has a value."""
    async with asyncio.timeout(PATIENCE):
        while await store.kv.get(key) != wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("way", ["websocket", pytest.param("http", marks=pytest.mark.nightly)])
async def test_devices_and_a_server_that_is_killed_come_to_the_same(way, tmp_path, durable_url):
    """B5, B6: nothing that was acknowledged anywhere is lost, and nothing is there twice."""
    port = free_port()
    server = await start(durable_url, port)
    try:
        async with (
            device(way, port, "laptop", tmp_path) as laptop,
            device(way, port, "phone", tmp_path) as phone,
        ):
            here = await laptop.create("notes")
            await here.kv.put("title", "from the laptop")
            await laptop.flush("notes")
            there = await phone.load("notes")
            await value(there, "title", "from the laptop")
            await kill(server)
            for n in range(30):  # both work on without it
                await here.log.append("laptop", {"n": n})
                await there.log.append("phone", {"n": n})
            await there.kv.put("offline", True)
            server = await start(durable_url, port)
            await value(here, "offline", True)
            await laptop.flush("notes")
            await phone.flush("notes")
            await here.kv.put("last", 1)
            await value(there, "last", 1)
            assert await here.log.len() == await there.log.len() == 60
            logs = [await store.log.range() for store in (here, there)]
            assert [entry.payload for entry in logs[0]] == [e.payload for e in logs[1]]
            assert (await here.log.verify()).valid == (await there.log.verify()).valid is True
    finally:
        await kill(server)
    async with ramax.connect(durable_url) as db:
        held = await db.content_store("notes")
        assert await held.kv.get("offline") is True
        assert await held.log.len() == 60


async def test_a_server_that_decides_is_killed_and_decides_everything_once(tmp_path, durable_url):
    """Two devices run commands while it is away; each is applied once, or told as a conflict."""
    port = free_port()
    conflicts: list[str] = []

    def dropped(command, _error):
        conflicts.append(command.params[-1])
        return "drop"

    @asynccontextmanager
    async def following(token: str) -> AsyncIterator[Follower]:
        layer = WebSocketLayer(f"ws://127.0.0.1:{port}/socket", token=token)
        async with (
            ramax.connect(tmp_path / f"{token}.db") as db,
            Follower(db, "plane", booking, layer, commands=COMMANDS, on_conflict=dropped) as plane,
        ):
            yield plane

    server = await start(durable_url, port, "decide")
    try:
        async with following("ann") as ann, following("bob") as bob:
            working = [
                asyncio.create_task(each.run(interval=0.02, backoff=Backoff(0.02, 0.1)))
                for each in (ann, bob)
            ]
            sent = []
            for n in range(40):
                if n == 10:
                    await kill(server)
                if n == 30:
                    server = await start(durable_url, port, "decide")
                for who, plane in (("ann", ann), ("bob", bob)):
                    with suppress(Taken):
                        await plane.execute(book, (str(n // 2), who, f"{who}{n}"))
                        sent.append(f"{who}{n}")
            async with asyncio.timeout(PATIENCE):
                while await ann.pending() or await bob.pending():
                    assert not any(task.done() for task in working)
                    await asyncio.sleep(0.02)
            for plane in (ann, bob):
                await plane.sync()
            assert await rows(ann.pstate) == await rows(bob.pstate)
            assert len(await rows(ann.pstate)) == 20
        await asyncio.gather(*working)
    finally:
        await kill(server)
    async with ramax.connect(durable_url) as db:
        done = await applied(await db.content_store("plane", booking))
    assert sorted([*done, *conflicts]) == sorted(sent)
    assert conflicts
