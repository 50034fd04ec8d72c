"""A server of `ramax.web` on a port of its own, layers that reach it, and a proxy that cuts them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn

from ramax.core.sync.record import EventRecord, digest_of
from ramax.sync.http_layer import HttpLayer
from ramax.sync.layer import SpaceRef, TwoWayLayer
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.sync.remote import RemoteLayer
from ramax.sync.websocket_layer import WebSocketLayer
from ramax.web import Access, Asking, Limits, make_app

OWN, OTHER = b"o" * 16, b"p" * 16
NOTES = SpaceRef("notes", b"s" * 16, OWN)
TOKENS = {
    "ann": Access(frozenset({OWN})),
    "relay": Access(None),
    "reader": Access(secrets=False),
    "listener": Access(),
}


async def authorize(asking: Asking) -> Access | None:
    return TOKENS.get(asking.token or "")


def records(
    count: int, origin: bytes = OWN, first: int = 1, payload: bytes = b"\x80"
) -> list[EventRecord]:
    """Return records of one origin, ``first`` and those after it."""
    found = []
    for seq in range(first, first + count):
        uid = origin[:8] + seq.to_bytes(8)
        said = (uid, origin, seq, seq << 16, "note.written", "note", payload, "msgpack")
        rest = (1_700_000_000_000_000 + seq, 1, None, None, None, None)
        found.append(EventRecord(*said, *rest, digest_of(*said, *rest)))
    return found


@asynccontextmanager
async def served(
    layer_of: Callable[[str], TwoWayLayer],
    limits: Limits | None = None,
    port: int = 0,
    **options: Any,
) -> AsyncIterator[int]:
    """Serve layers to those who have a token; yield the port."""
    async with running(make_app(layer_of, authorize, limits=limits), port, **options) as at:
        yield at


@asynccontextmanager
async def running(app: Any, port: int = 0, **options: Any) -> AsyncIterator[int]:
    """Run an application in a server of its own; yield the port."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", **options))
    with socket.create_server(("127.0.0.1", port)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def memory(place: MemoryPlace) -> Callable[[str], TwoWayLayer]:
    """Say that every space is in this place."""
    return lambda _name: MemoryLayer(place)


def layer_at(way: str, port: int, token: str = "ann", **options: Any) -> RemoteLayer:  # noqa: S107
    """Return a layer that reaches a port by a way."""
    if way == "http":
        return HttpLayer(f"http://127.0.0.1:{port}", token=token, **options)
    return WebSocketLayer(f"ws://127.0.0.1:{port}/socket", token=token, **options)


@asynccontextmanager
async def cutting(port: int, cut: Callable[[bytes], int | None]) -> AsyncIterator[int]:
    """Pass bytes on to a port; where ``cut`` says a number, so many of them, and then the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                with suppress(ConnectionError):
                    while data := await source.read(65536):
                        upto = cut(data) if source is reader else None
                        target.write(data[:upto])
                        await target.drain()
                        if upto is not None:
                            break
            finally:
                for end in (writer, there_writer):
                    end.transport.abort()

        for source, target in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(copy(source, target))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Take connections, and say nothing."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.transport.abort()
