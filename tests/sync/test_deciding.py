"""An authority on a server: commands go by the connection that events come by."""

from contextlib import asynccontextmanager

import pytest

import ramax
from ramax import Follower
from ramax.errors import CommandRefusedError, LayerAuthError, LayerError, LayerUnavailableError
from ramax.sync import Decider, Replace, SpaceRef
from ramax.sync.deciding import RemoteAuthority
from ramax.web import Access, make_app
from tests._serving import layer_at, running
from tests.sync._booking import COMMANDS, applied, book, booking, count, rows

KEY = "k" * 32


@asynccontextmanager
async def deciding(db, decide=None):
    async def authorize(asking):
        return {"ann": Access(commands=True), "guest": Access()}.get(asking.token or "")

    app = make_app(
        lambda name: ramax.SqlLayer(db, space=name),
        authorize,
        decide=decide or Decider(lambda name: db.content_store(name, booking), COMMANDS),
    )
    async with running(app) as port:
        yield port


@pytest.fixture
async def server(db):
    store = await db.content_store("plane", booking)
    await store.replica.enable()
    return store


@pytest.fixture(params=["websocket", "http"])
def way(request):
    return request.param


async def test_a_device_follows_a_server(db, server, way):
    conflicts = []

    def answer(command, error):
        conflicts.append((command.params, error.refusal, error.reason))
        return Replace(book, ("1b", "ann", "instead"))

    async with (
        deciding(db) as port,
        ramax.connect() as device,
        Follower(
            *(device, "plane", booking, layer_at(way, port)),
            commands=COMMANDS,
            on_conflict=answer,
        ) as plane,
    ):
        await plane.execute(book, ("1a", "ann", "a"))
        await server.execute(book, ("1a", "bob", "b"))
        await plane.execute(count, (1, "c"))
        await plane.sync()
        assert conflicts == [(("1a", "ann", "a"), "rejected", "1a is bob's")]
        assert await rows(plane.pstate) == await rows(server.pstate)
        assert await rows(plane.pstate) == {"seat:1a": "bob", "seat:1b": "ann", "sum": 1}
        assert await applied(server) == ["b", "instead", "c"]
        await plane.execute(count, (1, "d"))
        await plane.sync()
        assert await server.pstate.get("sum") == 2


async def test_a_command_is_run_once_for_its_key_and_tells_what_it_raises(db, server, way):
    async with deciding(db) as port:
        layer = layer_at(way, port)
        await layer.open(SpaceRef("plane"))
        authority, name = RemoteAuthority(layer), f"{count.__module__}.count"
        first = await authority.execute(name, count, (1, "a"), KEY)
        assert await authority.execute(name, count, (1, "a"), KEY) == first
        assert list(first.values()) == [1]
        for given, code in (((2, "b"), "conflict.idempotency"), ((None, None), "TypeError")):
            key = KEY if code.startswith("conflict") else "other"
            with pytest.raises(CommandRefusedError) as caught:
                await authority.execute(name, count, given, key)
            assert caught.value.refusal == code
        with pytest.raises(CommandRefusedError, match="not one of those"):
            await authority.execute("os.remove", count, "x", "third")
        assert await server.pstate.get("sum") == 1
        await authority.aclose()


async def test_who_may_only_read_has_no_commands_run(db, server, way):
    async with deciding(db) as port:
        layer = layer_at(way, port, "guest")
        await layer.open(SpaceRef("plane"))
        with pytest.raises(LayerAuthError):
            await layer.run("count", (1, "a"), KEY)
        await layer.aclose()
    assert await applied(server) == []


async def test_a_server_that_could_not_run_it_may_be_asked_again(db, server, way):
    async def broken(*_):
        raise LayerUnavailableError("authority", "its database is away")

    async with deciding(db, broken) as port:
        layer = layer_at(way, port)
        await layer.open(SpaceRef("plane"))
        with pytest.raises(LayerUnavailableError):
            await layer.run("count", (1, "a"), KEY)
        await layer.aclose()


async def test_a_space_that_the_server_does_not_hold_is_followed_by_nobody(db, way):
    async with (
        deciding(db) as port,
        ramax.connect() as device,
        Follower(
            *(device, "nowhere", booking, layer_at(way, port)),
            commands=COMMANDS,
            on_conflict=lambda *_: "drop",
        ) as plane,
    ):
        with pytest.raises(LayerError, match="does not hold"):
            await plane.sync()
