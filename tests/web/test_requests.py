"""Plain requests: the codes of HTTP, bodies that are none, bodies that do not end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from ramax.core.codec import encode
from ramax.core.sync.frames import PROTOCOL, pack_request, unpack
from ramax.web import Limits
from ramax.web.requests import MEDIA_TYPE
from tests._each import each
from tests._serving import OTHER, OWN, memory, records, served

HELLO = {"protocol": PROTOCOL, "space": "notes", "origin": OWN, "token": "ann"}
QUICK = Limits(
    frame_bytes=5_000, greeting_bytes=1_000, records=10, idle_seconds=0.4, alive_seconds=0.01
)


@pytest.fixture
async def port(place) -> AsyncIterator[int]:
    async with served(memory(place), QUICK) as port:
        yield port


@pytest.fixture
async def client(port) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


def push(count: int, origin: bytes = OWN, **said: Any) -> bytes:
    rows = [list(record) for record in records(count, origin, **said)]
    return pack_request(HELLO, "push", {"records": rows})


@each(
    "case",
    [
        ("vector", b"", 400, "bad_frame"),
        ("vector", b"\xc1", 400, "bad_frame"),
        ("vector", encode([["hello", HELLO]], "request"), 400, "bad_frame"),
        ("vector", pack_request(HELLO, "pull", {}), 400, "bad_frame"),
        ("vector", pack_request({**HELLO, "protocol": "other"}, "vector", {}), 400, "protocol"),
        ("vector", pack_request({**HELLO, "token": "nobody"}, "vector", {}), 401, "unauthorized"),
        ("vector", pack_request({**HELLO, "more": b"x" * 1_000}, "vector", {}), 400, "bad_frame"),
        ("push", push(1, OTHER), 403, "forbidden"),
        ("drop", pack_request(HELLO, "drop", {}), 404, "unknown"),
        ("push", push(1, first=2), 409, "gap"),
        ("push", b"x" * 6_000, 413, "too_large"),
        ("push", push(11), 413, "too_large"),
    ],
)
async def test_a_request_is_refused_by_code_and_status(client, place, case):
    """A14."""
    kind, body, status, code = case
    response = await client.post(f"/{kind}", content=body)
    assert (response.status_code, response.headers["content-type"]) == (status, MEDIA_TYPE)
    assert unpack(response.content).body["code"] == code
    assert place.vector == {}


async def test_there_is_nothing_else(client):
    assert (await client.get("/vector")).status_code == 405
    assert (await client.post("/a/b")).status_code == 404


async def test_a_fork_is_a_conflict_and_the_log_stays(client, place):
    assert (await client.post("/push", content=push(2))).status_code == 200
    response = await client.post("/push", content=push(2, payload=b"\xc0"))
    assert (response.status_code, unpack(response.content).body["code"]) == (409, "fork")
    assert place.records[OWN] == records(2)


async def test_a_body_that_drips_in_is_not_waited_for(port, place):
    """Slow-loris."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /push HTTP/1.1\r\nHost: here\r\nContent-Length: 900\r\n\r\nx")
    assert b" 408 " in await reader.readline()
    writer.close()
    assert place.vector == {}


async def test_who_listens_is_told_that_the_server_is_there(client, place):
    """A connection that is gone is as silent as one on which nothing happens."""
    kinds: list[str] = []
    async with client.stream(
        "POST", "/listen", content=pack_request(HELLO, "listen", {"since": {}})
    ) as response:
        waiting = b""
        async for chunk in response.aiter_bytes():
            waiting += chunk
            while waiting and len(waiting) >= 4 + int.from_bytes(waiting[:4]):
                end = 4 + int.from_bytes(waiting[:4])
                kinds.append(unpack(waiting[4:end]).kind)
                waiting = waiting[end:]
            if kinds.count("alive") == 3:
                place.add("notes", records(1))
            if "events" in kinds:
                break
    assert kinds[0] == "caught_up"
    assert kinds.count("alive") >= 3
