"""Whatever a client sends, it is refused with a code, the socket is closed, and the log is whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ramax.core.sync.frames import PROTOCOL, pack, unpack
from ramax.web import Limits
from tests._each import each
from tests._serving import OTHER, OWN, memory, records, served

HELLO = pack("hello", protocol=PROTOCOL, space="notes", space_uid=None, origin=OWN, token="ann")
QUICK = Limits(
    frame_bytes=5_000, greeting_bytes=4_500, records=10, greeting_seconds=0.2, idle_seconds=0.4
)


@pytest.fixture
async def port(place) -> AsyncIterator[int]:
    async with served(memory(place), QUICK, ws_max_size=20_000) as port:
        yield port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{port}/socket"
    async with connect(url, compression=None, close_timeout=0.2) as socket:
        yield socket


@pytest.fixture
async def socket(port) -> AsyncIterator[ClientConnection]:
    async with connected(port) as socket:
        yield socket


async def dismissed(socket: ClientConnection) -> tuple[str, int]:
    """Return the code of the refusal, and that of the close which follows it."""
    frame = unpack(await socket.recv(decode=False))
    assert frame.kind == "refused", frame
    assert frame.body["reason"]
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd
    return frame.body["code"], closed.value.rcvd.code


def push(*given: Any) -> bytes:
    return pack("push", records=[list(record) for record in given])


@each(
    "case",
    [
        (b"", "bad_frame", 4400),
        (b"\xc1\xc1", "bad_frame", 4400),
        (b"\x93\x01\x02", "bad_frame", 4400),
        (pack("pull", since={}, limit=1), "bad_frame", 4400),
        (pack("hello"), "protocol", 4400),
        (pack("hello", protocol="ramax.sync.99", space="notes"), "protocol", 4400),
        (pack("hello", protocol=PROTOCOL), "bad_frame", 4400),
        (pack("hello", protocol=PROTOCOL, space=7), "bad_frame", 4400),
        (pack("hello", protocol=PROTOCOL, space="notes", origin=b"short"), "bad_frame", 4400),
        (pack("hello", protocol=PROTOCOL, space="notes", token=b"ann"), "bad_frame", 4400),
        (pack("hello", protocol=PROTOCOL, space="notes"), "unauthorized", 4401),
        (pack("hello", protocol=PROTOCOL, space="notes", token="nobody"), "unauthorized", 4401),
        (b"\x92" * 4_000, "bad_frame", 4400),
        (b"x" * 6_000, "too_large", 4413),
        (pack("hello", protocol=PROTOCOL, space="x" * 4_600), "too_large", 4413),
    ],
)
async def test_a_greeting_that_is_none_is_refused(port, place, case):
    sent, *refusal = case
    async with connected(port) as socket:
        await socket.send(sent)
        assert [*await dismissed(socket)] == refusal
    assert place.vector == {}


@each(
    "case",
    [
        (pack("drop"), "unknown", 4404),
        (pack("hello"), "unknown", 4404),
        (pack("pull"), "bad_frame", 4400),
        (pack("pull", since={b"short": 1}, limit=1), "bad_frame", 4400),
        (pack("pull", since={OWN: -1}, limit=1), "bad_frame", 4400),
        (pack("pull", since={OWN: 2**63}, limit=1), "bad_frame", 4400),
        (pack("pull", since={}, limit="many"), "bad_frame", 4400),
        (pack("push"), "bad_frame", 4400),
        (pack("push", records=[[1, 2]]), "bad_frame", 4400),
        (push(records(1)[0]._replace(payload=b"other")), "bad_frame", 4400),
        (push(records(1)[0][:-1]), "bad_frame", 4400),
        (push(*records(11)), "too_large", 4413),
        (push(*records(2), *records(1, OTHER)), "forbidden", 4403),
        (pack("save_secrets", sealed=[[["k"]], []]), "bad_frame", 4400),
        (pack("listen", since=None), "bad_frame", 4400),
    ],
)
async def test_a_request_that_is_none_is_refused(port, place, case):
    sent, *refusal = case
    async with connected(port) as socket:
        await socket.send(HELLO)
        assert unpack(await socket.recv(decode=False)).kind == "welcome"
        await socket.send(sent)
        assert [*await dismissed(socket)] == refusal
    assert place.vector == {}


async def test_what_the_log_refuses_does_not_end_the_conversation(socket, place):
    await socket.send(HELLO)
    await socket.recv()
    for sent, code in [
        (push(*records(2)), None),
        (push(*records(1, first=4)), "gap"),
        (push(*records(1, payload=b"\xc0")), "fork"),
        (push(*records(1, first=3)), None),
    ]:
        await socket.send(sent)
        answer = unpack(await socket.recv(decode=False))
        assert answer.body.get("code") == code
    assert place.records[OWN] == records(3)


async def test_text_is_no_frame(socket):
    await socket.send("hello")
    assert await dismissed(socket) == ("bad_frame", 4400)


async def test_a_client_that_does_not_greet_is_sent_away(socket):
    assert await dismissed(socket) == ("timeout", 4408)


async def test_a_client_that_says_nothing_more_is_sent_away(socket):
    await socket.send(HELLO)
    await socket.recv()
    assert await dismissed(socket) == ("timeout", 4408)


async def test_a_frame_that_drips_in_is_not_waited_for(socket, place):
    """Slow-loris: a frame was begun, and its rest comes byte by byte or never."""
    await socket.send(HELLO)
    await socket.recv()
    socket.transport.write(b"\x82\xfe\x10\x00" + b"\x00" * 40)
    assert unpack(await socket.recv(decode=False)).body["code"] == "timeout"
    socket.transport.abort()  # it cannot say goodbye in the middle of a frame
    assert place.vector == {}


async def test_a_frame_beyond_what_the_web_server_takes_ends_the_connection(socket, place):
    await socket.send(HELLO)
    await socket.recv()
    with pytest.raises(ConnectionClosed):
        await socket.send(b"x" * 30_000)
        await socket.recv()
    assert place.vector == {}


@each("said", [pack("vector"), "text"])
async def test_who_listens_has_nothing_to_say(port, said):
    async with connected(port) as socket:
        await _listens_and_says(socket, said)


async def _listens_and_says(socket, said):
    await socket.send(HELLO)
    await socket.recv()
    await socket.send(pack("listen", since={}))
    assert unpack(await socket.recv(decode=False)).kind == "caught_up"
    await socket.send(said)
    assert await dismissed(socket) == ("bad_frame", 4400)
