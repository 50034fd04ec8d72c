"""Batches fit what a layer takes, and a layer that lies is found out."""

import asyncio
from typing import Any

import pytest

import ramax
from ramax.core.codec import encode
from ramax.errors import GapError, ProtocolError
from ramax.sync.layer import LayerInfo, Refused, SpaceRef, Written
from ramax.sync.memory_layer import MemoryLayer
from ramax.sync.replica import Replica
from ramax.sync.transfer import Position, batches, closing, pull, push, take
from tests.core.sync._records import ANNE, BOB, CARL, record, records

REF = SpaceRef("notes", b"u" * 16)


class Told:
    def __init__(self) -> None:
        self.count = self.refused = 0

    def __call__(self, count: int, refused: int) -> None:
        self.count += count
        self.refused += refused


@pytest.fixture
async def replica():
    async with ramax.connect() as db:
        store = await db.content_store("notes")
        replica = Replica(db._core, store.space)
        await replica.enable(space_uid=REF.space_uid)
        await replica.ingest(records(ANNE, 1, 5))
        yield replica


async def opened(kind: type[Any] = MemoryLayer, **options) -> Any:
    layer = kind(**options)
    await layer.open(REF)
    return layer


def test_batches_are_no_larger_than_the_layer_takes():
    found = [*records(ANNE, 1, 7), record(ANNE, 8, payload=encode("x" * 5000, "p"))]
    assert [len(b) for b in batches(found, LayerInfo(None, None, max_records=3))] == [3, 3, 2]
    by_size = list(batches(found, LayerInfo(None, None, max_bytes=1000)))
    assert [r for b in by_size for r in b] == found
    assert by_size[-1] == found[-1:]  # larger than the limit: it goes alone
    assert len(by_size) > 3
    assert list(batches([], LayerInfo(None, None))) == []


async def test_what_the_layer_lacks_is_pushed_and_no_more(replica):
    layer, told = await opened(max_records=2), Told()
    await layer.write(records(ANNE, 1, 2))
    position = Position(await layer.vector())
    await push(replica, layer, LayerInfo(None, None, 2), position, told)
    assert layer.place.vector == {ANNE: 5}
    assert (told.count, layer.place.writes) == (3, 3)


async def test_a_layer_that_has_less_than_it_was_known_to_says_what_it_wants(replica):
    layer, told = await opened(), Told()
    await layer.write(records(ANNE, 1, 1))
    position = Position({ANNE: 4})
    await push(replica, layer, LayerInfo(None, None), position, told)
    assert layer.place.records[ANNE] == [r async for p in replica.read({}) for r in p]


class Greedy(MemoryLayer):
    async def write(self, _records):
        raise GapError("notes", {})


class Forgetful(MemoryLayer):
    async def write(self, _records):
        return Written({})


@pytest.mark.parametrize("kind", [Greedy, Forgetful])
async def test_a_layer_that_takes_for_ever_and_has_nothing_is_found_out(replica, kind):
    with pytest.raises(ProtocolError):
        await push(replica, await opened(kind), LayerInfo(None, None), Position({}), Told())


async def test_what_the_replica_lacks_is_pulled_once_also_where_pages_come_twice(replica):
    layer, told = await opened(), Told()
    layer.faults.deliver_twice = True
    await layer.write([*records(ANNE, 1, 6), *records(BOB, 1, 3)])
    position = Position({})
    await pull(layer, replica, position, told)
    assert told.count == 4
    assert (await replica.info()).vector == position.vector == {ANNE: 6, BOB: 3}


class WithAHole(MemoryLayer):
    async def read(self, _since, _limit=500):
        yield records(BOB, 2, 3)


async def test_a_layer_whose_records_have_a_hole_is_found_out(replica):
    with pytest.raises(ProtocolError, match="gap"):
        await pull(await opened(WithAHole), replica, Position({}), Told())


async def test_who_waits_for_a_position_hears_when_it_is_reached():
    position = Position({ANNE: 1})
    waiting = asyncio.ensure_future(position.reached({ANNE: 3, BOB: 1}))
    for vector in ({ANNE: 3}, {ANNE: 2}):
        position.add(vector)
        await asyncio.sleep(0)
        assert not waiting.done()
    position.add({BOB: 1})
    await waiting
    assert position.vector == {ANNE: 3, BOB: 1}


async def test_an_iterator_is_ended_whoever_leaves_it():
    ended = []

    async def numbers():
        try:
            while True:
                yield 1
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="left"):
        async with closing(numbers()) as found:
            async for _ in found:
                raise RuntimeError("left")
    assert ended == [True]


class RefusesBob(MemoryLayer):
    """Does not take the records of Bob from his second on."""

    open_to_bob = False

    async def write(self, records):
        taken = [r for r in records if r.origin != BOB or r.origin_seq < 2 or self.open_to_bob]
        refused = [r for r in records if r not in taken][:1]
        written = await super().write(taken)
        return Written(
            written.vector, written.duplicates, tuple(Refused(r.uid, "no", "") for r in refused)
        )


async def test_a_refused_record_holds_up_its_origin_and_no_other(replica):
    """B14: and everything follows once it is taken."""
    await replica.ingest([*records(BOB, 1, 4), *records(CARL, 1, 2)])
    layer, told, position = await opened(RefusesBob), Told(), Position({})
    await push(replica, layer, LayerInfo(None, None), position, told)
    assert layer.place.vector == {ANNE: 5, BOB: 1, CARL: 2}
    assert told.refused == 1
    await replica.ingest([*records(BOB, 5, 5), *records(CARL, 3, 3)])
    await push(replica, layer, LayerInfo(None, None), position, told)
    assert layer.place.vector == {ANNE: 5, BOB: 1, CARL: 3}
    assert told.refused == 1  # it was not even asked again
    layer.open_to_bob = True
    position.release()
    await push(replica, layer, LayerInfo(None, None), position, told)
    assert layer.place.vector == {ANNE: 5, BOB: 5, CARL: 3}


async def test_records_from_the_future_wait_and_hold_up_no_other_origin(replica):
    """B11: they are neither taken nor asked for again at once; what follows them waits, too."""
    layer, told, position = await opened(), Told(), Position({})
    future = [record(BOB, seq, stamp=(1 << 62) + seq) for seq in (2, 3)]
    await layer.write([*records(BOB, 1, 1), *future, record(BOB, 4), *records(CARL, 1, 2)])
    await pull(layer, replica, position, told)
    assert (await replica.info()).vector == {ANNE: 5, BOB: 1, CARL: 2}
    assert position.refused >= {future[0].uid}
    await take(replica, [record(BOB, 5), record(CARL, 3)], position, told)
    assert (await replica.info()).vector == {ANNE: 5, BOB: 1, CARL: 3}


async def test_what_a_layer_does_not_take_is_not_pushed_and_not_waited_for(replica):
    """A server that lets each device push its own events has the others' from them."""
    await replica.ingest(records(BOB, 1, 3))
    layer = await opened()
    position, told = Position({}), Told()
    position.takes = frozenset({ANNE})
    await push(replica, layer, LayerInfo(None, None), position, told)
    assert layer.place.vector == {ANNE: 5}
    vector = (await replica.info()).vector
    async with asyncio.timeout(5):
        await position.reached(vector)
    assert position.meant(vector) == {ANNE: 5}
    assert position.settled(vector) == vector
