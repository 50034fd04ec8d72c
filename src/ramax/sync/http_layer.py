"""A layer on a server elsewhere over plain HTTP, where WebSockets cannot pass."""

from collections.abc import AsyncGenerator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ramax.core.sync.frames import MAX_FRAME_BYTES, Frame, pack_request
from ramax.errors import LayerAuthError, LayerUnavailableError, MisuseError, ProtocolError
from ramax.sync.remote import FORBIDDEN, RemoteLayer

if TYPE_CHECKING:
    from httpx2 import AsyncClient

_MEDIA_TYPE = "application/vnd.ramax.sync+msgpack"
_LENGTH_BYTES = 4
_SILENCE = 60.0
"""Seconds without a sign after which a listener gives a server up, which gives one every 20."""


class HttpLayer(RemoteLayer):
    """A space on a server of `ramax.web`; a listener is one long answer."""

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
            url: Under which the server's application is: ``https://example.org/sync``.
            token: Sent with each request; the server knows by it who we are.
            layer_id: The url, unless given.
            timeout: How long the server may be silent within an answer, in s; to a listener 60.
        """
        super().__init__(layer_id or url, token)
        self._url, self._timeout = url.rstrip("/"), timeout
        self._client: AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connections; again is no error."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def _greet(self) -> Frame:
        await self.aclose()
        headers = {"Content-Type": _MEDIA_TYPE, "Accept-Encoding": "identity"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._client = _httpx().AsyncClient(headers=headers, timeout=self._timeout)
        return await self._ask("hello", {})

    async def _ask(self, kind: str, body: Mapping[str, Any]) -> Frame:
        request = self._connected().stream(
            "POST", f"{self._url}/{kind}", content=pack_request(self._hello(), kind, body)
        )
        try:
            async with request as response:
                return self._heard(await self._whole(response))
        except _httpx().HTTPError as error:
            raise self._unavailable(error) from error

    async def _whole(self, response: Any) -> bytes:
        """Read an answer, and no more of it than one can have."""
        self._check_media(response)
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_FRAME_BYTES:
                raise ProtocolError(self.layer_id, f"it answers more than {MAX_FRAME_BYTES} bytes")
        return bytes(body)

    async def _listen(self, body: Mapping[str, Any]) -> AsyncGenerator[Frame]:
        httpx = _httpx()
        request = self._connected().stream(
            "POST",
            f"{self._url}/listen",
            content=pack_request(self._hello(), "listen", body),
            timeout=httpx.Timeout(self._timeout, read=_SILENCE),
        )
        try:
            async with request as response:
                if response.is_error:
                    yield self._heard(await self._whole(response))
                    return
                self._check_media(response)
                async for frame in self._frames(response.aiter_bytes()):
                    yield frame
        except httpx.HTTPError as error:
            raise self._unavailable(error) from error
        raise LayerUnavailableError(self.layer_id, "the connection ended")

    async def _frames(self, chunks: Any) -> AsyncGenerator[Frame]:
        waiting = bytearray()
        async for chunk in chunks:
            waiting += chunk
            while len(waiting) >= _LENGTH_BYTES:
                end = _LENGTH_BYTES + int.from_bytes(waiting[:_LENGTH_BYTES])
                if end > MAX_FRAME_BYTES + _LENGTH_BYTES:
                    raise ProtocolError(self.layer_id, f"it sends a frame of {end} bytes")
                if len(waiting) < end:
                    break
                yield self._heard(bytes(waiting[_LENGTH_BYTES:end]))
                del waiting[:end]

    def _connected(self) -> "AsyncClient":
        if self._client is None:
            raise LayerUnavailableError(self.layer_id, "not connected: open it again")
        return self._client

    def _check_media(self, response: Any) -> None:
        if response.headers.get("content-type") != _MEDIA_TYPE:
            status = response.status_code
            kind = LayerAuthError if status in FORBIDDEN else LayerUnavailableError
            raise kind(self.layer_id, f"no sync server answered: {status}")

    def _unavailable(self, error: Exception) -> LayerUnavailableError:
        return LayerUnavailableError(self.layer_id, f"{type(error).__name__}: {error}")


def _httpx() -> Any:
    try:
        return import_module("httpx2")
    except ImportError as error:
        raise MisuseError("an HttpLayer needs: pip install 'ramax[web]'") from error
