"""Commands are run here at once, by the authority for good, and again on top of what it decided."""

import asyncio
import random
import sys
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import ramax
from ramax import Follower
from ramax.core.sync.backoff import Backoff
from ramax.entry import SqlAuthority
from ramax.errors import (
    ClosedError,
    DataError,
    LayerResetError,
    LayerUnavailableError,
    MisuseError,
)
from ramax.sync import Replace
from tests._each import each
from tests.sync._booking import COMMANDS, Taken, applied, book, booking, count, release, rows


class Cut(SqlAuthority):
    """An authority that cannot always be reached: before a command is run, or after it."""

    before = after = False
    ran = 0

    async def open(self, space):
        if self.before:
            raise LayerUnavailableError("authority", "cut")
        return await super().open(space)

    async def execute(self, name, command, params, key):
        if self.before:
            raise LayerUnavailableError("authority", "cut")
        vector = await super().execute(name, command, params, key)
        self.ran += 1
        if self.after:
            raise LayerUnavailableError("authority", "cut after it")
        return vector


class DeathError(Exception):
    """The process ends here; nothing catches it."""


class Told(list[Any]):
    """What conflicts there were, and what is answered."""

    def __init__(self, answer="drop"):
        super().__init__()
        self.answer = answer

    def __call__(self, command, error):
        self.append((command.params, error))
        return self.answer(command) if callable(self.answer) else self.answer


@asynccontextmanager
async def following(authority, url="sqlite://", told=None, commands=COMMANDS):
    async with ramax.connect(url) as device:
        follower = Follower(
            device,
            "plane",
            booking,
            authority,
            commands=commands,
            on_conflict=Told() if told is None else told,
        )
        async with follower:
            yield follower, await device.content_store("plane", booking)


@pytest.fixture
async def server(db):
    return await db.content_store("plane", booking)


@pytest.fixture
def authority(db):
    return Cut(db, booking)


async def test_a_command_shows_at_once_and_is_decided_by_the_authority(server, authority):
    async with following(authority) as (plane, confirmed):
        done = await plane.execute(book, ("1a", "ann", "x"))
        assert (done.number, done.params, done.confirmed) == (1, ("1a", "ann", "x"), False)
        assert await plane.pstate.get("seat:1a") == "ann"
        assert await confirmed.pstate.get("seat:1a") is None
        assert [each.uid for each in await plane.pending()] == [done.uid]
        await plane.sync()
        assert await plane.pending() == []
        assert await server.pstate.get("seat:1a") == "ann"
        assert await confirmed.pstate.get("seat:1a") == "ann"
        assert await plane.pstate.get("seat:1a") == "ann"
        assert await applied(confirmed) == await applied(server) == ["x"]


async def test_what_fails_here_is_not_kept(authority):
    async with following(authority) as (plane, _):
        await plane.execute(book, ("1a", "ann", "x"))
        with pytest.raises(Taken, match="ann"):
            await plane.execute(book, ("1a", "bob", "y"))
        assert len(await plane.pending()) == 1


async def test_what_the_authority_decided_comes_before_what_is_pending(server, authority):
    """Rebase: others were first, and what is pending is run again on top of it."""
    await server.execute(count, (1, "a"))
    async with following(authority) as (plane, confirmed):
        await plane.sync()
        authority.before = True
        await plane.execute(count, (10, "mine"))
        await server.execute(count, (2, "b"))
        with pytest.raises(LayerUnavailableError):
            await plane.sync()
        assert await plane.pstate.get("sum") == 11
        authority.before = False
        await plane.sync()
        await server.execute(count, (4, "c"))
        await plane.execute(count, (20, "mine too"))
        assert await plane.pstate.get("sum") == 33
        await plane.sync()
        assert await plane.pstate.get("sum") == await server.pstate.get("sum") == 37
        assert await applied(confirmed) == ["a", "b", "mine", "c", "mine too"]


async def test_a_conflict_is_told_and_dropped(server, authority):
    await server.execute(book, ("1a", "bob", "b"))
    told = Told("drop")
    async with following(authority, told=told) as (plane, _):
        await plane.execute(book, ("1a", "ann", "a"))
        await plane.execute(count, (1, "c"))
        await plane.sync()
        ((params, error),) = told
        assert (params, type(error)) == (("1a", "ann", "a"), Taken)
        assert await plane.pstate.get("seat:1a") == "bob"
        assert await plane.pending() == []
        assert await applied(server) == ["b", "c"]


async def test_a_conflict_is_replaced_in_its_place(server, authority):
    await server.execute(book, ("1a", "bob", "b"))
    told = Told(lambda _: Replace(book, ("1b", "ann", "instead")))
    async with following(authority, told=told) as (plane, _):
        await plane.execute(book, ("1a", "ann", "a"))
        await plane.execute(release, ("1a", "ann", "never"))
        told.answer = lambda each: (
            Replace(book, ("1b", "ann", "instead")) if each.name.endswith("book") else "drop"
        )
        await plane.sync()
        assert await rows(plane.pstate) == {"seat:1a": "bob", "seat:1b": "ann"}
        assert await applied(server) == ["b", "instead"]
        assert [params for params, _ in told] == [("1a", "ann", "a"), ("1a", "ann", "never")]


async def test_a_conflict_that_is_kept_holds_its_place(server, authority):
    await server.execute(book, ("1a", "bob", "b"))
    told = Told("keep")
    async with following(authority, told=told) as (plane, _):
        kept = await plane.execute(book, ("1a", "ann", "a"))
        await plane.execute(count, (1, "c"))
        await plane.sync()
        assert [(each.uid, each.error) for each in await plane.pending()][0] == (
            kept.uid,
            "1a is bob's",
        )
        assert await rows(plane.pstate) == {"seat:1a": "bob", "sum": 1}
        assert await applied(server) == ["b"]
        await server.execute(release, ("1a", "bob", "r"))
        await plane.sync()
        assert await plane.pstate.get("seat:1a") == "ann"
        assert await applied(server) == ["b", "r", "a", "c"]


async def test_what_was_refused_and_kept_can_be_given_up(server, authority):
    await server.execute(book, ("1a", "bob", "b"))
    async with following(authority, told=Told("keep")) as (plane, _):
        kept = await plane.execute(book, ("1a", "ann", "a"))
        assert not await plane.drop(kept.uid)  # nobody has refused it yet
        await plane.sync()
        assert await plane.drop(kept.uid)
        assert not await plane.drop(kept.uid)
        await plane.sync()
        assert await applied(server) == ["b"]


async def test_an_answer_that_is_none_is_refused_and_the_command_stays(server, authority):
    await server.execute(book, ("1a", "bob", "b"))
    async with following(authority, told=Told("perhaps")) as (plane, _):
        await plane.execute(book, ("1a", "ann", "a"))
        with pytest.raises(DataError, match="perhaps"):
            await plane.sync()
        assert len(await plane.pending()) == 1


async def test_a_callback_may_be_async(server, authority):
    await server.execute(book, ("1a", "bob", "b"))

    async def asked(_command, _error):
        return "drop"

    async with following(authority, told=asked) as (plane, _):
        await plane.execute(book, ("1a", "ann", "a"))
        await plane.sync()
        assert await plane.pending() == []


async def test_a_lost_answer_runs_nothing_twice(server, authority):
    async with following(authority) as (plane, _):
        await plane.execute(count, (1, "once"))
        authority.after = True
        for _ in range(2):
            with pytest.raises(LayerUnavailableError):
                await plane.sync()
        assert await plane.pstate.get("sum") == 1
        authority.after = False
        await plane.sync()
        assert (authority.ran, await applied(server)) == (3, ["once"])
        assert await plane.pstate.get("sum") == 1


async def test_pending_commands_outlive_the_process(server, authority, tmp_path):
    url = f"sqlite:///{tmp_path / 'device.db'}"
    async with following(authority, url) as (plane, _):
        await plane.execute(count, (1, "a"))
        await plane.execute(book, ("1a", "ann", "b"))
    async with following(authority, url) as (plane, _):
        assert await rows(plane.pstate) == {"seat:1a": "ann", "sum": 1}
        await plane.execute(count, (1, "c"))
        await plane.sync()
        assert await applied(server) == ["a", "b", "c"]


@pytest.mark.parametrize("step", ["answered", "remove", "pull"])
async def test_a_death_between_two_steps_shows_nothing_twice(
    server, authority, tmp_path, monkeypatch, step
):
    """Whatever was done before it, the sum is right at every moment, also before the next sync."""
    url = f"sqlite:///{tmp_path / 'device.db'}"

    def dies(*_):
        raise DeathError

    async with following(authority, url) as (plane, _):
        await plane.execute(count, (1, "a"))
        await plane.execute(count, (2, "b"))
        place = "ramax.sync.follower." if step == "pull" else "ramax.storage.pending."
        monkeypatch.setattr(place + step, dies)
        with pytest.raises(DeathError):
            await plane.sync()
        monkeypatch.undo()
        assert await plane.pstate.get("sum") == 3
    async with following(authority, url) as (plane, _):
        assert await plane.pstate.get("sum") == 3
        await plane.sync()
        assert await plane.pstate.get("sum") == 3
        assert await plane.pending() == []
    assert await applied(server) == ["a", "b"]


async def test_reads_of_many_keys_have_both_in_their_order(server, authority):
    for n in range(0, 2500, 2):
        await server.execute(book, (f"{n:04}", "server", str(n))) if n < 40 else None
    async with following(authority) as (plane, _):
        await plane.sync()
        authority.before = True
        await plane.execute(release, ("0004", "server", "r"))
        for n in (1, 5, 41):
            await plane.execute(book, (f"{n:04}", "me", str(n)))
        expected = sorted({*range(0, 40, 2), 1, 5, 41} - {4})
        found = [(key, value) async for key, value in plane.pstate.scan("seat:")]
        assert [key for key, _ in found] == [f"seat:{n:04}" for n in expected]
        assert await plane.pstate.count("seat:") == len(expected)
        some = [key async for key, _ in plane.pstate.scan("seat:", after="seat:0003", limit=3)]
        assert some == ["seat:0005", "seat:0006", "seat:0008"]
        paged = [key async for key, _ in plane.pstate.scan(limit=2)]
        assert paged == ["seat:0000", "seat:0001"]
        assert await plane.pstate.get_many(["seat:0004", "seat:0005", "seat:0006"]) == {
            "seat:0005": "me",
            "seat:0006": "server",
        }


async def test_commands_are_functions_that_everybody_finds(db, authority):
    wrong: Any = ([book, book], [lambda state, params: []])
    for commands in wrong:
        with pytest.raises(MisuseError, match="functions? of a module"):
            Follower(db, "x", booking, authority, commands=commands, on_conflict=Told())
    no_database: Any = "sqlite://"
    with pytest.raises(DataError, match="Database"):
        Follower(no_database, "x", booking, authority, commands=[], on_conflict=Told())
    async with following(authority, commands=[book]) as (plane, _):
        with pytest.raises(MisuseError, match="count"):
            await plane.execute(count, (1, "a"))


async def test_a_space_that_has_events_of_its_own_follows_nobody(authority):
    async with following(authority) as (plane, confirmed):
        await confirmed.execute(count, (1, "beside"))
        with pytest.raises(MisuseError, match="of its own"):
            await plane.sync()
    async with following(authority) as (plane, confirmed):
        await plane.sync()
        await confirmed.execute(count, (1, "beside"))
        authority.before = True
        await plane.execute(count, (1, "mine"))
        with pytest.raises(LayerUnavailableError):
            await plane.sync()
        authority.before = False
        with pytest.raises(MisuseError, match="beside its authority"):
            await plane.sync()


async def test_a_follower_that_is_closed_says_so(authority):
    async with following(authority) as (plane, _):
        pass
    with pytest.raises(ClosedError):
        await plane.execute(count, (1, "a"))
    with pytest.raises(ClosedError):
        await plane.sync()


class Hung(SqlAuthority):
    """Never answers, and never lets go."""

    def __init__(self, db, verb: str) -> None:
        super().__init__(db, booking)
        self.asked = asyncio.Event()
        setattr(self, verb, self._hangs)
        self.aclose = self._hangs  # type: ignore[method-assign]

    async def _hangs(self, *_):
        self.asked.set()
        await asyncio.Event().wait()


@each("verb", ["open", "execute"])
async def test_an_authority_that_hangs_does_not_hold_up_the_closing(server, db, monkeypatch, verb):
    monkeypatch.setattr("ramax.sync.follower._PATIENCE", 0.05)
    hung = Hung(db, verb)
    async with asyncio.timeout(30), ramax.connect() as device:
        async with Follower(
            device, "plane", booking, hung, commands=COMMANDS, on_conflict=Told()
        ) as plane:
            await plane.execute(count, (1, "a"))
            running, waiting = (asyncio.create_task(each) for each in (plane.run(), plane.sync()))
            await hung.asked.wait()
        await running
        with pytest.raises(ClosedError):
            await waiting
        assert not [task for task in asyncio.all_tasks() if "Follower" in repr(task)]


async def test_it_synchronises_by_itself_and_comes_back_after_failures(server, authority):
    authority.before = True
    async with following(authority) as (plane, confirmed):
        working = asyncio.create_task(plane.run(interval=0.01, backoff=Backoff(0.001, 0.01)))
        await plane.execute(count, (1, "mine"))
        authority.before = False
        await server.execute(count, (2, "theirs"))
        async with asyncio.timeout(30):
            while sorted(await applied(confirmed)) != ["mine", "theirs"]:
                await asyncio.sleep(0.001)
            while await plane.pending():
                await asyncio.sleep(0.001)
        await plane.aclose()
        async with asyncio.timeout(30):
            await working


@pytest.mark.parametrize("seed", range(4))
async def test_clients_come_to_what_the_authority_decided(db, server, seed, tmp_path):
    """Each command of each client is applied exactly once, or told as a conflict."""
    chance = random.Random(seed)
    authorities = [Cut(db, booking) for _ in range(3)]
    conflicts, sent = [], []

    def answer(command, _error):
        ident = command.params[-1]
        if chance.random() < 0.3 and not ident.endswith("'"):
            conflicts.append(ident)
            new = f"{ident}'"
            sent.append(new)
            return Replace(count, (1, new))
        conflicts.append(ident)
        return "drop"

    async def act(plane, who):
        ident = f"{who}{len(sent)}"
        seat = str(chance.randrange(4))
        command, params = chance.choice(
            [(book, (seat, who, ident)), (release, (seat, who, ident)), (count, (1, ident))]
        )
        try:
            await plane.execute(command, params)
        except Taken:
            return
        sent.append(ident)

    urls = [f"sqlite:///{tmp_path / f'{n}.db'}" for n in range(3)]
    for _round in range(3):
        async with (
            following(authorities[0], urls[0], answer) as (a, _),
            following(authorities[1], urls[1], answer) as (b, _),
            following(authorities[2], urls[2], answer) as (c, _),
        ):
            for _ in range(25):
                at = chance.randrange(3)
                plane, link = (a, b, c)[at], authorities[at]
                if chance.random() < 0.7:
                    await act(plane, "abc"[at])
                    continue
                link.before, link.after = chance.random() < 0.3, chance.random() < 0.3
                with suppress(LayerUnavailableError):
                    await plane.sync()
    for link in authorities:
        link.before = link.after = False
    async with (
        following(authorities[0], urls[0], answer) as (a, one),
        following(authorities[1], urls[1], answer) as (b, two),
        following(authorities[2], urls[2], answer) as (c, three),
    ):
        for _ in range(2):
            for plane in (a, b, c):
                await plane.sync()
        truth = await rows(server.pstate)
        for plane, store in ((a, one), (b, two), (c, three)):
            assert await plane.pending() == []
            assert await rows(plane.pstate) == await rows(store.pstate) == truth
            assert await applied(store) == await applied(server)
    done = await applied(server)
    assert len(done) == len({*done})
    assert sorted([*done, *conflicts]) == sorted(sent)
    assert conflicts


async def test_an_authority_that_lost_what_it_decided_is_found_out(server, authority, monkeypatch):
    await server.execute(count, (1, "a"))
    async with following(authority) as (plane, _):
        await plane.sync()

        async def nothing(_layer):
            return {}

        monkeypatch.setattr(ramax.SqlLayer, "vector", nothing)
        with pytest.raises(LayerResetError):
            await plane.sync()


async def test_a_follower_that_is_killed_goes_on_where_it_was(tmp_path, durable_url):
    """What it had said was there is there, once: here at once, and after all at the authority."""
    device = f"sqlite:///{tmp_path / 'device.db'}"
    async with ramax.connect(durable_url) as db:
        server = await db.content_store("plane", booking)
        told = 0
        for _ in range(3):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.sync._programs.follow", device, durable_url),
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            async with asyncio.timeout(60):
                upto = told + 12
                while told < upto:
                    told = int(await process.stdout.readline())
            process.kill()
            told = max([told, *map(int, (await process.stdout.read()).split())])
            await process.wait()
        async with following(SqlAuthority(db, booking), device) as (plane, _):
            assert told <= await plane.pstate.get("sum") <= told + 1
            sum_ = await plane.pstate.get("sum")
            await plane.sync()
            assert await plane.pstate.get("sum") == await server.pstate.get("sum") == sum_
            done = await applied(server)
            assert done == [str(n) for n in range(sum_)]
