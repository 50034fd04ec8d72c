"""An authority that is another database, by its URL: it may be away, and is opened again."""

import pytest

import ramax
from ramax import Follower
from ramax.entry import SqlAuthority
from ramax.errors import LayerError, LayerUnavailableError
from tests.sync._booking import COMMANDS, applied, booking, count


async def test_two_devices_follow_a_database_by_its_url(durable_url, memory_url):
    async with ramax.connect(durable_url):
        pass
    made = [SqlAuthority(durable_url, booking, space="seats") for _ in range(2)]
    async with ramax.connect() as one, ramax.connect() as two:
        devices = [
            Follower(
                db, "plane", booking, made[n], commands=COMMANDS, on_conflict=lambda *_: "drop"
            )
            for n, db in enumerate((one, two))
        ]
        async with devices[0] as a, devices[1] as b:
            await a.execute(count, (1, "a"))
            await b.execute(count, (2, "b"))
            for each in (a, b, a):
                await each.sync()
            assert await a.pstate.get("sum") == await b.pstate.get("sum") == 3
    async with ramax.connect(durable_url) as db:
        assert await applied(await db.content_store("seats", booking)) == ["a", "b"]


async def test_an_authority_that_is_away_is_tried_again(tmp_path):
    path = tmp_path / "away" / "server.db"
    url = f"sqlite:///{path}"
    async with (
        ramax.connect() as db,
        Follower(
            db, "plane", booking, url, commands=COMMANDS, on_conflict=lambda *_: "drop"
        ) as plane,
    ):
        await plane.execute(count, (1, "a"))
        with pytest.raises(LayerUnavailableError):
            await plane.sync()
        path.parent.mkdir()
        await plane.sync()
        assert await plane.pending() == []


async def test_what_is_not_open_runs_nothing():
    with pytest.raises(LayerError, match="open"):
        await SqlAuthority("sqlite://", booking).execute("count", count, (1, "a"), "k")
