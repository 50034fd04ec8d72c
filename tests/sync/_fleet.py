"""Devices that hold one space, and what may happen to them and between them, drawn at random."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import sqlalchemy as sa

import ramax
from ramax import ContentStore, Domain, NewEvent
from ramax.core.sync.record import EventRecord
from ramax.datatypes.tree import Tree
from ramax.entry.features import exchange_of
from ramax.errors import GapError, RamaxError
from tests.secrets._vaults import OneKey

KEYS = ["a", "b", "c", "名"]
NODES = [*"abcdef"]

visits = Domain("visits")


def visit(_state, key):
    return [NewEvent("visited", {"key": key}, entity_id=key)]


@visits.applicator("visited")
def was_visited(state, event):
    """Depends on the order: a chain of who came when."""
    state["path"] = [*state.get("path", []), event.payload["key"], event.space_sequence][-20:]


class Device:
    """One replica, on a database that outlives its process, or in memory."""

    def __init__(self, url: str, keys: OneKey) -> None:
        self.url, self.keys = url, keys
        self.db: ramax.Database
        self.store: ContentStore
        self._file = Path(url.removeprefix("sqlite+aiosqlite:///"))

    @property
    def lasts(self) -> bool:
        """Whether it can be closed and opened again."""
        return self.url != "sqlite://"

    async def open(self) -> None:
        self.db = await ramax.connect(self.url, keys=self.keys)
        self.store = await self.db.content_store("notes", domain=visits)

    async def restart(self, rng: random.Random) -> None:
        """Close it while it works, and open it again."""
        if self.lasts:
            working = [asyncio.create_task(act(rng, self.store)) for _ in range(rng.randrange(4))]
            await asyncio.sleep(0)
            await self.db.close()
            await asyncio.gather(*working)
            await self.open()

    def back_up(self) -> None:
        """Copy its file while it is in use, as SQLite does it."""
        if self.is_file:
            with closing(sqlite3.connect(self._file)) as here, closing(self._copy()) as there:
                here.backup(there)

    async def restore(self, rng: random.Random, others: Sequence["Device"]) -> None:
        """Go back to the copy, write on, and hear only then what others have of the time since.

        Nobody gets anything of it before: two histories under one origin could not both be kept.
        """
        await self.db.close()
        with closing(self._copy()) as there, closing(sqlite3.connect(self._file)) as here:
            there.backup(here)
        await self.open()
        info = await self.store.replica.info()
        for _ in range(rng.randrange(6)):
            await act(rng, self.store)
        for other in others:
            await self.hear_again(rng, other, info.origin, info.vector.get(info.origin, 0))

    async def hear_again(
        self, rng: random.Random, source: "Device", origin: bytes, upto: int
    ) -> None:
        """Take what another has, and of its own origin what came after the copy, or all of it."""
        for wanted in (upto, 0):
            since = {**(await self.store.replica.info()).vector, origin: wanted}
            found = await source.records(since)
            rng.shuffle(found)
            try:
                await self.store.replica.ingest(found, gives_way=True)
            except GapError as gap:
                assert gap.wanted[origin] == 0  # noqa: PT017 - it is caught to go on
                continue
            return

    @property
    def is_file(self) -> bool:
        return self.url.startswith("sqlite+aiosqlite:")

    @property
    def has_copy(self) -> bool:
        return self.is_file and self._backup.exists()

    @property
    def _backup(self) -> Path:
        return self._file.with_suffix(".backup")

    def _copy(self) -> sqlite3.Connection:
        return sqlite3.connect(self._backup)

    async def rows(self) -> list[tuple[str, bytes]]:
        """Read the pstate as it is stored."""
        async with self.db.connection() as connection:
            statement = sa.text(
                "SELECT key, value FROM pstate_entities WHERE space_id = :id ORDER BY key"
            )
            found = await connection.execute(statement, {"id": self.store.space.space_id})
            return [(key, bytes(value)) for key, value in found]

    async def records(self, since: dict[bytes, int]) -> list[EventRecord]:
        return [record async for page in self.store.replica.read(since, 7) for record in page]

    async def secrets(self) -> dict[str, object]:
        return {
            name: await self.store.secrets.get(name) for name in await self.store.secrets.list()
        }

    async def take_secrets(self, source: "Device") -> None:
        given = await exchange_of(source.db._core, source.store.space).export()
        await exchange_of(self.db._core, self.store.space).merge(given)


@asynccontextmanager
async def fleet(urls: Sequence[str]) -> AsyncIterator[list[Device]]:
    """Make devices that are replicas of one space, with one master key."""
    keys = OneKey()
    devices = [Device(url, keys) for url in urls]
    opened: list[Device] = []
    try:
        uid = None
        for device in devices:
            await device.open()
            opened.append(device)
            uid = (await device.store.replica.enable(uid)).space_uid
        yield devices
    finally:
        for device in opened:
            await device.db.close()


async def act(rng: random.Random, store: ContentStore) -> None:
    """Do something with one of the data types; refusals are as good as anything."""
    key, value, node = rng.choice(KEYS), rng.randrange(5), rng.choice(NODES)
    parent = rng.choice([*NODES, *["root"] * 4])
    first = rng.random() < 0.5
    tree = store.tree(rng.choice(["t", "t", "u"]))
    pair = dict.fromkeys(rng.sample(KEYS, 2), value)
    acts = [
        lambda: store.kv.put(key, value),
        lambda: store.kv.put_many(pair),
        lambda: store.kv.delete(key),
        lambda: store.cells.set(key, value),
        lambda: store.cells.delete(key),
        lambda: store.log.append("seen", {"v": value}),
        lambda: store.json.set(key, {"v": value, "w": [value]}),
        lambda: store.json.merge(key, {"w": value}),
        lambda: store.json.patch(key, [{"op": "add", "path": "/w/0", "value": value}]),
        lambda: store.json.delete(key),
        lambda: store.vectors.create_collection("v", 2, "cosine"),
        lambda: store.vectors.upsert("v", key, [value + 1.0, 1.0]),
        lambda: store.vectors.delete("v", key),
        lambda: store.vectors.delete_collection("v"),
        lambda: store.execute(visit, key),
        lambda: store.execute(visit, key),
        lambda: tree.create(parent, {"v": value}, node=node),
        lambda: tree.create(parent, node=node),
        lambda: tree.move(node, parent, first=first),
        lambda: tree.move(node, parent, first=first),
        lambda: put_beside(rng, tree, node),
        lambda: put_beside(rng, tree, node),
        lambda: put_beside(rng, tree, node),
        lambda: tree.set(node, {key: value}),
        lambda: tree.rename(node, key),
        lambda: tree.unset(node, [key]),
        lambda: tree.delete(node),
        lambda: tree.delete(node),
        lambda: tree.restore(node),
        lambda: tree.restore(node),
        lambda: store.text("t").insert(0, f"{key}{value} "),
        lambda: store.text("t").set(f"{key}{value}"),
        lambda: store.secrets.set(key, value),
        lambda: store.secrets.delete(key),
    ]
    try:
        await rng.choice(acts)()
    except RamaxError:
        return


async def put_beside(rng: random.Random, tree: Tree, node: str) -> None:
    """Make a node beside another one, or move it there."""
    sibling = await tree.get(rng.choice(NODES))
    if sibling is None:
        return
    sides = [sibling.node, None]
    rng.shuffle(sides)
    before, after = sides
    if await tree.get(node) is None:
        await tree.create(sibling.parent, {"name": node}, node=node, before=before, after=after)
    else:
        await tree.move(node, sibling.parent, before=before, after=after)


async def carried(rng: random.Random, source: Device, target: Device) -> list[EventRecord]:
    """Return what the target lacks, with repetitions and in another order."""
    since = dict((await target.store.replica.info()).vector)
    for origin in list(since):
        since[origin] = max(0, since[origin] - rng.randrange(3))
    found = await source.records(since)
    found += rng.sample(found, min(len(found), 2))
    rng.shuffle(found)
    return found


async def exchange(rng: random.Random, source: Device, target: Device) -> None:
    """Bring records across; some are lost, so that others do not fit."""
    found = await carried(rng, source, target)
    lost = rng.random() < 0.3
    if lost:
        found = [record for record in found if rng.random() < 0.8]
    try:
        while found:
            upto = rng.randint(1, len(found)) if lost else len(found)
            await target.store.replica.ingest(found[:upto])
            found = found[upto:]
    except GapError:
        assert lost
    if rng.random() < 0.5:
        await target.take_secrets(source)


async def live(
    rng: random.Random, devices: Sequence[Device], steps: int, *, all_there: bool = True
) -> None:
    """Let devices write, exchange, restart and go back to copies, in parts apart from each other."""
    side = {device.url: 0 for device in devices}
    for step in range(steps):
        if step % 15 == 0:
            side = {device.url: rng.randrange(2) for device in devices}
        chance = rng.random()
        if chance < 0.68:
            await act(rng, rng.choice(devices).store)
        elif chance < 0.89:
            source, target = rng.sample(list(devices), 2)
            if side[source.url] == side[target.url]:
                await exchange(rng, source, target)
        elif chance < 0.93:
            await rng.choice(devices).restart(rng)
        elif all_there:  # who is away may know what went: see `Device.restore`
            await go_back(rng, devices)


async def go_back(rng: random.Random, devices: Sequence[Device]) -> None:
    """Let a device go back to the copy that it has, or make one."""
    device = rng.choice(devices)
    if device.has_copy and rng.random() < 0.7:
        await device.restore(rng, [other for other in devices if other is not device])
    else:
        device.back_up()


async def heal(rng: random.Random, devices: Sequence[Device]) -> None:
    """Bring everything to the first device, and from there to all."""
    first, *others = devices
    pairs = [(other, first) for other in others] + [(first, other) for other in others]
    for source, target in pairs:
        await target.store.replica.ingest(await carried(rng, source, target))
        await target.take_secrets(source)


async def check_equal(devices: Sequence[Device]) -> None:
    """Compare what they hold byte by byte, as it is and folded anew; each verifies itself."""
    first = devices[0]
    rows, secrets, log = await first.rows(), await first.secrets(), await sorted_log(first)
    assert rows
    for device in devices:
        assert await device.rows() == rows, device.url
        assert await device.secrets() == secrets, device.url
        assert await sorted_log(device) == log
        assert (await device.db.spaces.stats(device.store.space)).event_count == len(log)
        report = await device.store.verify()
        assert report.ok, report
        await device.store.rebuild_pstate()
        assert await device.rows() == rows, f"rebuilt: {device.url}"


async def sorted_log(device: Device) -> list[EventRecord]:
    return sorted(await device.records({}), key=lambda r: (r.stamp, r.origin, r.origin_seq))
