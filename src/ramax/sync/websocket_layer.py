"""A layer on a server elsewhere over WebSockets: one for requests, and one for each listener."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ramax.core.sync.frames import MAX_FRAME_BYTES, Frame, pack
from ramax.errors import (
    LayerAuthError,
    LayerUnavailableError,
    MisuseError,
    ProtocolError,
)
from ramax.sync.remote import FORBIDDEN, RemoteLayer

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_TOO_LARGE = 1009
_GOODBYE = 2.0
"""Seconds that a server may take to close a connection with us; nothing depends on it."""


class WebSocketLayer(RemoteLayer):
    """A space on a server of `ramax.web`, heard live.

    Requests go one at a time. After an error the connection is gone, and the next request makes
    a new one: a request whose answer was lost may have been carried out, and repeating it changes
    nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        layer_id: str | None = None,
        timeout: float = 60,
    ) -> None:
        """Describe the layer; nothing is connected yet.

        Args:
            url: Of the server's socket: ``wss://example.org/sync/socket``.
            token: Sent with each connection; the server knows by it who we are.
            layer_id: The url, unless given.
            timeout: How long an answer may take, in s.
        """
        super().__init__(layer_id or url, token)
        self._url, self._timeout = url, timeout
        self._connection: ClientConnection | None = None
        self._turn = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the connection; again is no error."""
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()

    async def _greet(self) -> Frame:
        async with self._turn:
            await self.aclose()
            connection, answer = await self._connected()
            self._connection = connection
            return answer

    async def _connected(self) -> "tuple[ClientConnection, Frame]":
        """Return a new connection and what is answered to the greeting on it."""
        hello = self._hello()
        connection = await self._dial()
        try:
            return connection, await self._said(connection, "hello", hello)
        except BaseException:
            await _dropped(connection)
            raise

    async def _ask(self, kind: str, body: Mapping[str, Any]) -> Frame:
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is None:
                connection, welcome = await self._connected()
                self._checked(welcome, "welcome")
            try:
                answer = await self._said(connection, kind, body)
            except BaseException:
                # Whose answer comes next on it is not known any more.
                await _dropped(connection)
                raise
            if answer.body.get("ends") is True:
                await _dropped(connection)
            else:
                self._connection = connection
            return answer

    async def _listen(self, body: Mapping[str, Any]) -> AsyncGenerator[Frame]:
        connection, welcome = await self._connected()
        try:
            self._checked(welcome, "welcome")
            await self._sent(connection, "listen", body)
            while True:
                yield await self._received(connection)
        finally:
            await _dropped(connection)

    async def _said(
        self, connection: "ClientConnection", kind: str, body: Mapping[str, Any]
    ) -> Frame:
        try:
            async with asyncio.timeout(self._timeout):
                await self._sent(connection, kind, body)
                return await self._received(connection)
        except TimeoutError:
            raise LayerUnavailableError(
                self.layer_id, f"did not answer {kind!r} within {self._timeout} s"
            ) from None

    async def _sent(
        self, connection: "ClientConnection", kind: str, body: Mapping[str, Any]
    ) -> None:
        with suppress(_websockets().ConnectionClosed):  # what it was closed with is read next
            await connection.send(pack(kind, **body))

    async def _received(self, connection: "ClientConnection") -> Frame:
        try:
            data = await connection.recv()
        except _websockets().ConnectionClosed as error:
            raise self._closed(error) from error
        if isinstance(data, str):
            raise ProtocolError(self.layer_id, "it sent text; frames are binary")
        return self._heard(data)

    async def _dial(self) -> "ClientConnection":
        websockets = _websockets()
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else None
        try:
            connection: ClientConnection = await websockets.connect(
                self._url,
                additional_headers=headers,
                max_size=MAX_FRAME_BYTES,
                compression=None,
                open_timeout=self._timeout,
                close_timeout=min(self._timeout, _GOODBYE),
            )
        except websockets.InvalidURI as error:
            if error.uri != self._url:
                raise LayerUnavailableError(self.layer_id, f"it leads to {error.uri}") from error
            raise MisuseError(f"{self._url!r} is no address of a WebSocket: {error}") from error
        except websockets.InvalidStatus as error:
            status = error.response.status_code
            kind = LayerAuthError if status in FORBIDDEN else LayerUnavailableError
            raise kind(self.layer_id, f"the server answered {status}") from error
        except (websockets.InvalidHandshake, OSError, TimeoutError) as error:
            raise LayerUnavailableError(self.layer_id, f"cannot connect: {error}") from error
        return connection

    def _closed(self, error: Any) -> Exception:
        why = error.rcvd
        if why and why.code == _TOO_LARGE:
            return ProtocolError(self.layer_id, "the server takes no frame of that size")
        return LayerUnavailableError(self.layer_id, f"the connection ended: {error}")


async def _dropped(connection: "ClientConnection") -> None:
    """Cut a connection off without asking the other side, which may not answer."""
    connection.transport.abort()
    await connection.wait_closed()


def _websockets() -> Any:
    try:
        return import_module("websockets")
    except ImportError as error:
        raise MisuseError("a WebSocketLayer needs: pip install 'ramax[web]'") from error
