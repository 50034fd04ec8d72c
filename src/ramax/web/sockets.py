"""Serves a client over a WebSocket: a greeting, then request by request, then maybe listening."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from ramax.core.sync.frames import Frame, unpack
from ramax.errors import RamaxError
from ramax.web.access import bearer_token
from ramax.web.conversation import Conversation, Service
from ramax.web.refusals import RefusedError, refusal_of


class SocketSession:
    """One client; `run` returns when it has left or was told to."""

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._socket, self._service, self._limits = socket, service, service.limits

    async def run(self) -> None:
        """Serve the client until it leaves."""
        await self._socket.accept()
        try:
            await self._serve()
        except WebSocketDisconnect:
            return
        except RefusedError as refused:
            await self._dismiss(refused)
        except RamaxError as error:
            await self._dismiss(refusal_of(error))

    async def _serve(self) -> None:
        limits = self._limits
        hello = await self._next(limits.greeting_seconds, limits.greeting_bytes)
        conversation = await self._service.begin(hello, bearer_token(self._socket))
        try:
            await self._send(await conversation.welcome())
            while True:
                asked = await self._next(limits.idle_seconds, limits.frame_bytes)
                if asked.kind == "listen":
                    await self._stream(conversation.listen(asked))
                    await self._socket.close()
                    return
                await self._send(await self._answer(conversation, asked))
        finally:
            await conversation.aclose()

    async def _answer(self, conversation: Conversation, asked: Frame) -> bytes:
        """Answer, also with a refusal after which the client may go on."""
        try:
            return await conversation.answer(asked)
        except RamaxError as error:
            refused = refusal_of(error)
            if refused.close:
                raise refused from error
            return refused.frame()

    async def _next(self, seconds: float, most: int) -> Frame:
        try:
            async with asyncio.timeout(seconds):
                data = await self._socket.receive_bytes()
        except TimeoutError:
            raise RefusedError("timeout", f"nothing was said within {seconds} s") from None
        except KeyError:
            raise RefusedError("bad_frame", "frames are binary") from None
        if len(data) > min(most, self._limits.frame_bytes):
            raise RefusedError("too_large", f"this frame has at most {most} bytes")
        return unpack(data)

    async def _send(self, frame: bytes) -> None:
        async with asyncio.timeout(self._limits.idle_seconds):
            await self._socket.send_bytes(frame)

    async def _stream(self, frames: AsyncGenerator[bytes]) -> None:
        """Send what comes until the client leaves; the first to end ends the other."""
        both = [asyncio.create_task(self._pump(frames)), asyncio.create_task(self._until_gone())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            ended = await asyncio.gather(*both, return_exceptions=True)
            await frames.aclose()
        for end in ended:
            if isinstance(end, Exception):
                raise end

    async def _pump(self, frames: AsyncGenerator[bytes]) -> None:
        async for frame in frames:
            await self._send(frame)

    async def _until_gone(self) -> None:
        with suppress(KeyError):  # of what is text
            await self._socket.receive_bytes()
        raise RefusedError("bad_frame", "who listens has nothing to say")

    async def _dismiss(self, refused: RefusedError) -> None:
        """Say why, and close; a client that is gone or does not read cannot be told."""
        try:
            async with asyncio.timeout(self._limits.greeting_seconds):
                await self._socket.send_bytes(refused.frame())
                await self._socket.close(refused.close or 1011, refused.code)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return
