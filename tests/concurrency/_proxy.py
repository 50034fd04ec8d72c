"""A TCP proxy in front of PostgreSQL that loses what a test tells it to lose."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

import sqlalchemy as sa


class Fate(Enum):
    """What becomes of bytes on their way."""

    PASS = auto()
    LOSE = auto()  # they never arrive, both ends are closed
    UNHEARD = auto()  # a request arrives, but its sender is cut off before any answer
    LATE = auto()  # the sender is cut off now; they arrive when `deliver` is called


class Proxy:
    """Passes everything on until ``request`` or ``answer`` says otherwise."""

    def __init__(self, url: str) -> None:
        self._target = sa.make_url(url)
        self.url = ""
        self.request: Callable[[bytes], Fate] = lambda _: Fate.PASS
        self.answer: Callable[[bytes], Fate] = lambda _: Fate.PASS
        self.cuts = 0
        self._late: list[tuple[asyncio.StreamWriter, bytes, asyncio.Event]] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def deliver(self) -> None:
        """Let everything that is late arrive, and wait until the server has dealt with it."""
        while self._late:
            server, data, over = self._late.pop()
            server.write(data)
            server.write(b"X\x00\x00\x00\x04")  # the protocol's good-bye
            await over.wait()

    def cut_all(self) -> None:
        """Close every connection at once."""
        self.cuts += 1
        for end in list(self._open):
            end.transport.abort()

    async def serve(self, client_in: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            server_in, server = await asyncio.open_connection(self._target.host, self._target.port)
        except OSError:
            client.transport.abort()
            return
        over = asyncio.Event()
        self._open |= {client, server}
        try:
            await asyncio.gather(
                self._pump(client_in, server, client, self._ask, over),
                self._pump(server_in, client, server, lambda data: self.answer(data), over),
            )
        finally:
            self._open -= {client, server}
            for end in (client, server):
                end.transport.abort()
            over.set()

    def _ask(self, data: bytes) -> Fate:
        return self.request(data)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        sender: asyncio.StreamWriter,
        fate_of: Callable[[bytes], Fate],
        over: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 16):
                fate = fate_of(data)
                if fate is Fate.PASS:
                    to.write(data)
                    continue
                self.cuts += 1
                sender.transport.abort()
                if fate is Fate.LATE:
                    self._late.append((to, data, over))
                    return
                if fate is Fate.LOSE:
                    to.transport.abort()
                    return
                to.write(data)
                break
        to.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """Serve a proxy to the database of ``url`` for the block; ``proxy.url`` leads through it."""
    proxy = Proxy(url)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        target = sa.make_url(url).set(host="127.0.0.1", port=port)
        proxy.url = target.render_as_string(hide_password=False)
        try:
            yield proxy
        finally:
            proxy.cut_all()


class Once:
    """A fate for the first bytes that hold ``mark``; everything else passes."""

    def __init__(self, mark: bytes, fate: Fate) -> None:
        self._mark, self._fate = mark, fate
        self.struck = False

    def __call__(self, data: bytes) -> Fate:
        if self.struck or self._mark not in data:
            return Fate.PASS
        self.struck = True
        return self._fate
