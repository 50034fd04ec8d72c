import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from ramax.errors import LayerAuthError, LayerError, LayerUnavailableError, ProtocolError
from ramax.sync.http_layer import HttpLayer
from tests._each import each
from tests._serving import NOTES, OWN, cutting, layer_at, memory, records, served, silent


async def test_a_request_that_was_cut_off_is_not_taken_in_part(place, port):
    cuts, pushed = iter([9_000]), records(20, payload=b"x" * 900)

    def cut(data: bytes) -> int | None:
        return next(cuts, None) if len(data) > 10_000 else None

    async with cutting(port, cut) as through:
        layer = layer_at("http", through)
        await layer.open(NOTES)
        with pytest.raises(LayerUnavailableError):
            await layer.write(pushed)
        assert place.vector == {}
        await layer.write(pushed)
        assert place.records[OWN] == pushed
        await layer.aclose()


async def test_a_listener_whose_server_goes_away_hears_of_it(place):
    async with served(memory(place), timeout_graceful_shutdown=0) as port:
        layer = layer_at("http", port)
        await layer.open(NOTES)
        changes = layer.changes({})
        assert (await anext(changes)).caught_up
    with pytest.raises(LayerUnavailableError):
        await anext(changes)
    await layer.aclose()


async def test_a_server_that_says_nothing_is_unavailable():
    async with silent() as port:
        with pytest.raises(LayerUnavailableError):
            await layer_at("http", port, timeout=0.05).open(NOTES)


async def test_another_server_than_one_of_ours_is_said_to_be_that(port):
    layer = HttpLayer(f"http://127.0.0.1:{port}/elsewhere", token="ann")
    with pytest.raises(LayerUnavailableError, match="404"):
        await layer.open(NOTES)
    await layer.aclose()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """Answer every request with the same bytes."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def said(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


OURS = "Content-Type: application/vnd.ramax.sync+msgpack"


@each(
    "case",
    [
        (said("500 Broken", b"oops"), LayerUnavailableError, True),
        (said("302 Found", b"", "Location: http://127.0.0.1:1/"), LayerUnavailableError, True),
        (said("401 Unauthorized", b"", "Content-Type: text/html"), LayerAuthError, False),
        (said("200 OK", b"abc", OURS), ProtocolError, False),
        (said("200 OK", b"abc", OURS, "Content-Encoding: gzip"), LayerUnavailableError, True),
        (said("200 OK", b"abc", OURS)[:-1], LayerUnavailableError, True),
        (b"\x00\x01 no HTTP\r\n\r\n", LayerUnavailableError, True),
    ],
)
async def test_an_answer_of_somebody_else_is_told_as_what_it_is(case):
    answer, kind, retryable = case
    async with answering(answer) as port:
        layer = layer_at("http", port)
        with pytest.raises(LayerError) as failed:
            await layer.open(NOTES)
        await layer.aclose()
    assert type(failed.value) is kind
    assert failed.value.retryable is retryable


async def test_an_answer_without_an_end_is_cut_off(monkeypatch):
    """Also one that is small on its way, and grows when it is unpacked."""
    monkeypatch.setattr("ramax.sync.http_layer.MAX_FRAME_BYTES", 100_000)
    packed = gzip.compress(bytes(50_000_000))
    async with answering(said("200 OK", packed, OURS, "Content-Encoding: gzip")) as port:
        layer = layer_at("http", port)
        with pytest.raises(ProtocolError, match="more than 100000 bytes"):
            await layer.open(NOTES)
        await layer.aclose()
