"""What the seeds promise of replicas, where no single module answers for it."""

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

import ramax
from ramax.core.codec import decode_tagged
from ramax.core.datatypes.tree import CREATED, MOVED
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import missing
from ramax.errors import RamaxError
from ramax.sync import DirectoryLayer
from tests._each import each
from tests.sync._managers import manager_on

TESTS = Path(__file__).parents[1]
LABELS = [f"A{n}" for n in range(1, 15)] + [f"B{n}" for n in range(1, 21)]


def test_every_label_of_the_acceptance_list_is_in_the_docstring_of_a_test() -> None:
    """A label stands first in a docstring: ``A1:``, ``A5, A6:``, or alone as ``A14.``."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if node.name.startswith("test_"):
                first = (ast.get_docstring(node) or "").replace(".", ":").partition(":")[0]
                found.update(label.strip() for label in first.split(","))
    assert [label for label in LABELS if label not in found] == []


async def all_of(store) -> list[EventRecord]:
    return [record async for page in store.replica.read({}) for record in page]


async def own_of(store) -> list[EventRecord]:
    origin = (await store.replica.info()).origin
    return [record for record in await all_of(store) if record.origin == origin]


async def lacking(source, target) -> list[EventRecord]:
    known = (await target.replica.info()).vector
    return [record async for page in source.replica.read(known) for record in page]


async def tree_of(store) -> list[object]:
    """Return every live node, and whatever is deleted, in the order that is shown."""
    tree = store.tree("t")
    return [n async for n in tree.walk()] + [await tree.trash()]


async def shake(rng: random.Random, store, steps: int) -> None:
    """Create, move, delete and change nodes at random; refusals are as good as anything."""
    tree, nodes = store.tree("t"), [f"n{n}" for n in range(12)]
    for _ in range(steps):
        node, other = rng.choice(nodes), rng.choice([*nodes, *["root"] * 6])
        try:
            match rng.randrange(9):
                case 0 | 1:
                    await tree.create(other, {"by": rng.randrange(9)}, node=node)
                case 2 | 3:
                    await tree.move(node, other, first=rng.random() < 0.5)
                case 4:
                    await tree.set(node, {"value": rng.randrange(9)})
                case 5:
                    await tree.delete(node)
                case 6:
                    await tree.restore(node)
                case _:
                    await tree.move(node, "root")  # also back from the trash
        except RamaxError:
            continue


def folded(records: list[EventRecord]) -> dict[str, tuple[str, str]]:
    """Fold moves one by one in the order of stamps: where each node is, and its sort key."""
    places: dict[str, tuple[str, str]] = {}
    for record in sorted(records, key=lambda r: (r.stamp, r.origin, r.origin_seq)):
        if record.event_type not in {CREATED, MOVED}:
            continue
        said = decode_tagged(record.payload, record.format)
        node, parent = said["node"], said["parent"]
        up: str | None = parent
        while up is not None and up != node:
            up = places[up][0] if up in places else None
        if up is None and (node in places or record.event_type == CREATED):
            places[node] = (parent, said["key"])
    return places


@pytest.mark.parametrize(
    ("seed", "steps"),
    [(1, 30), *(pytest.param(n, 500, marks=pytest.mark.nightly) for n in (3, 4))],
)
async def test_trees_are_equal_after_each_round_and_equal_a_fold_one_by_one(url, seed, steps):
    """A9, B8: brought across whole, or by vectors, which carries less; no cycle, one order."""
    rng = random.Random(seed)
    async with ramax.connect(url) as one, ramax.connect() as two, ramax.connect() as three:
        stores = [await db.content_store("notes") for db in (one, two, three)]
        uid = (await stores[0].replica.enable()).space_uid
        for store in stores[1:]:
            await store.replica.enable(uid)
        for round_ in range(5):
            for store in stores:
                await shake(rng, store, steps)
            whole = [await all_of(store) for store in stores]
            carried = 0
            for target in stores:
                for source, everything in zip(stores, whole, strict=True):
                    if source is not target:
                        given = everything if round_ % 2 == 0 else await lacking(source, target)
                        carried += len(given)
                        await target.replica.ingest(given)
            if round_ % 2:
                assert carried < 2 * sum(map(len, whole))
            trees = [await tree_of(store) for store in stores]
            assert trees[0] == trees[1] == trees[2]
            records = await all_of(stores[0])
            assert missing(*[(await s.replica.info()).vector for s in stores[:2]]) == {}
            expected = folded(records)
            assert expected
            for parent in {"root", *expected}:
                below = [(key, node) for node, (up, key) in expected.items() if up == parent]
                shown = await stores[0].tree("t").children(parent)
                assert [node.node for node in shown] == [node for _, node in sorted(below)]


@each("value", [True, False, 0, -(2**60), 1.5, "", "ż'\"", [], [1, [None]], {}, {"a": {"b": []}}])
async def test_of_two_writes_at_once_the_later_counts_everywhere_whatever_it_is(value):
    """A11: bools, numbers, strings, lists, objects; in keys, cells, properties and documents."""
    async with ramax.connect() as db:
        one, two = [await db.content_store(name) for name in ("one", "two")]
        await two.replica.enable((await one.replica.enable()).space_uid)
        node = (await one.tree("t").create()).node
        await two.replica.ingest(await all_of(one))
        for store, mine in ((one, "earlier"), (two, value)):
            await store.kv.put("k", mine)
            await store.cells.set("c", mine)
            await store.json.set("d", {"at": mine})
            await store.tree("t").set(node, {"p": mine})
        news = [(await own_of(store))[-4:] for store in (one, two)]
        wins = [
            value if later(theirs, ours) else "earlier" for ours, theirs in zip(*news, strict=True)
        ]
        for target, source in ((one, two), (two, one)):
            await target.replica.ingest(await lacking(source, target))
        for store in (one, two):
            shown = await store.tree("t").get(node)
            assert shown is not None
            found = [
                await store.kv.get("k"),
                await store.cells.get("c"),
                (await store.json.get("d"))["at"],
                shown.properties["p"],
            ]
            assert found == wins
            assert list(map(type, found)) == list(map(type, wins))


def later(one: EventRecord, other: EventRecord) -> bool:
    """Say which of two writes is the later one; of one stamp, the origin decides."""
    return (one.stamp, one.origin) > (other.stamp, other.origin)


READ = """
import asyncio, sys, ramax
async def main():
    async with ramax.connect(sys.argv[1]) as db, ramax.SpaceManager(db) as manager:
        store = await manager.load("notes")
        tree = [(n.node, n.parent, n.properties) async for n in store.tree("t").walk()]
        print([[item async for item in store.kv.iter()], tree, await store.log.len()])
asyncio.run(main())
"""


async def test_another_process_finds_what_was_written_before(durable_url, tmp_path):
    """A8: written, closed, and opened again elsewhere, to the last value."""

    def layers_for(_ref):
        return [DirectoryLayer(tmp_path / "layer")]

    async with manager_on(durable_url, layers_for) as manager:
        store = await manager.create("notes")
        await store.kv.put_many({"a": [1, None], "ä": {"x": True}})
        node = (await store.tree("t").create(properties={"title": "ż"})).node
        await store.tree("t").create(node)
        await store.log.append("seen", {})
        kept = [item async for item in store.kv.iter()]
        tree = [(n.node, n.parent, n.properties) async for n in store.tree("t").walk()]
    process = subprocess.run(
        [sys.executable, "-c", READ, durable_url], capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert ast.literal_eval(process.stdout) == [kept, tree, 1]
