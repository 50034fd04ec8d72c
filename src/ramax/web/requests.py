"""Serves clients over plain HTTP: each request brings its greeting, listening is a long answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from ramax.core.sync.frames import framed, pack, unpack_greeting, unpack_request
from ramax.errors import RamaxError
from ramax.sync.flows import ended
from ramax.web.access import bearer_token
from ramax.web.conversation import Conversation, Service
from ramax.web.refusals import RefusedError, refusal_of

MEDIA_TYPE = "application/vnd.ramax.sync+msgpack"


async def answer(request: Request, service: Service) -> Response:
    """Answer ``POST /<kind>`` whose body is a greeting and a request."""
    try:
        return await _answered(request, service)
    except RefusedError as error:
        refused = error
    except RamaxError as error:
        refused = refusal_of(error)
    return Response(refused.frame(), refused.status, media_type=MEDIA_TYPE)


async def _answered(request: Request, service: Service) -> Response:
    body = await _body(request, service)
    hello, rest = unpack_greeting(body, service.limits.greeting_bytes)
    conversation = await service.begin(hello, bearer_token(request))
    try:
        asked = unpack_request(rest, request.path_params["kind"])
        if asked.kind == "listen":
            frames = _with_signs(conversation.listen(asked), service.limits.alive_seconds)
            listened = _listened(conversation, frames)
            return StreamingResponse(listened, media_type=MEDIA_TYPE)
        if asked.kind == "hello":
            said = await conversation.welcome()
        else:
            said = await conversation.answer(asked)
    except BaseException:
        await conversation.aclose()
        raise
    await conversation.aclose()
    return Response(said, media_type=MEDIA_TYPE)


async def _body(request: Request, service: Service) -> bytes:
    limits, body = service.limits, bytearray()
    try:
        async with asyncio.timeout(limits.idle_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.frame_bytes:
                    raise RefusedError("too_large", f"at most {limits.frame_bytes} bytes")
    except TimeoutError:
        raise RefusedError("timeout", f"took longer than {limits.idle_seconds} s") from None
    except ClientDisconnect:
        raise RefusedError("timeout", "the request was cut off") from None
    return bytes(body)


async def _listened(
    conversation: Conversation, frames: AsyncGenerator[bytes]
) -> AsyncIterator[bytes]:
    try:
        async for frame in frames:
            yield framed(frame)
    except RefusedError as refused:
        yield framed(refused.frame())
    except RamaxError as error:
        yield framed(refusal_of(error).frame())
    finally:
        await frames.aclose()
        await conversation.aclose()


async def _with_signs(frames: AsyncGenerator[bytes], seconds: float) -> AsyncGenerator[bytes]:
    """Yield frames, and a sign after each silence: a connection that is gone is silent for ever."""
    following: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(frames, None))
            if not (await asyncio.wait([following], timeout=seconds))[0]:
                yield pack("alive")
                continue
            frame, following = following.result(), None
            if frame is None:
                return
            yield frame
    finally:
        if following is not None:
            await ended([following])
        await frames.aclose()
