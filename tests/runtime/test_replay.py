"""Late events are folded from the newest snapshot before them, and come to the fold of all."""

import random

import pytest

from ramax import Domain, NewEvent
from ramax.core.codec import encode
from ramax.runtime import anew, trail
from ramax.runtime.replay import Replay
from ramax.storage import canonical_snapshots
from ramax.storage.canonical_snapshots import read_canonical
from ramax.testing.records import record
from tests.runtime._beside import between_pages, folds_like_a_rebuild, receive

ORIGINS = [bytes([n]) * 16 for n in (1, 2, 3)]


def notes(version: int | None = 1) -> Domain:
    domain = Domain("notes", fold_version=version)

    @domain.applicator("note.written")
    def was_written(state, event):
        key = f"k{event.payload['value'] % 5}"
        state[key] = [*state.get(key, []), event.payload["value"]][-4:]
        state[f"{state.get('before')} before {key}"] = event.space_sequence
        state["before"] = event.payload["value"]  # a late event gives others other keys

    @domain.applicator("note.gone")
    def was_deleted(state, event):
        state.pop(f"k{event.payload['value'] % 5}", None)

    return domain


def write(_state, value):
    return [NewEvent("note.written", {"value": value}, entity_id="n")]


def some(rng, origin, seq, stamp):
    value = rng.randrange(100)
    kind = rng.choice(["note.written", "note.written", "note.gone", "kv", "log", "json"])
    if kind == "kv":
        said = {"event_type": "ramax.kv.put", "entity_id": f"ramax.kv:{value % 3}"}
        payload = {"value": value}
    elif kind == "log":
        said = {"event_type": f"ramax.log.t{value % 2}", "entity_id": "ramax.log:entries"}
        payload = {"n": value}
    elif kind == "json":
        said = {"event_type": "ramax.json.set", "entity_id": f"ramax.json:{value % 3}"}
        payload = {"value": {"n": value}}
    else:
        said, payload = {"event_type": kind}, {"value": value}
    return record(origin, seq, stamp=stamp, payload=encode(payload, "payload"), **said)


async def snapshots_of(store):
    whose = trail.fold_of(store.domain) or ""
    read = store._core.read
    return await read(lambda ex: read_canonical(ex, store.space.space_id, whose))


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_arrival_comes_to_the_fold_of_all(db, monkeypatch, seed):
    """B7, B13: with snapshots at many places, which some events come too late for."""
    await merged_in_any_order(db, monkeypatch, seed, events=40)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 160))
async def test_any_order_of_many_events_comes_to_the_fold_of_all(db, monkeypatch, seed):
    await merged_in_any_order(db, monkeypatch, seed, events=150)


async def merged_in_any_order(db, monkeypatch, seed, events):
    rng = random.Random(seed)
    monkeypatch.setattr(trail, "NEAREST", rng.choice([1, 2, 4]))
    monkeypatch.setattr(anew, "_PART", 9)
    monkeypatch.setattr(anew, "_TRIES", 9)
    monkeypatch.setattr(canonical_snapshots, "CHUNK", rng.choice([1, 60, 1 << 18]))
    replays = []
    swap = Replay.swap

    def swapping(*given):
        replays.append(1)
        swap(*given)

    monkeypatch.setattr(Replay, "swap", swapping)
    store = await db.content_store("notes", notes())
    await store.replica.enable()
    waiting = {}
    for origin in ORIGINS:
        stamp, mine = 0, []
        for seq in range(1, events):
            stamp += rng.randrange(1, 4) << 16
            mine.append(some(rng, origin, seq, stamp))
        waiting[origin] = mine

    def taken():
        origin = rng.choice([each for each, records in waiting.items() if records])
        size = rng.randint(1, 6)
        batch, waiting[origin] = waiting[origin][:size], waiting[origin][size:]
        return batch

    async def live(_page):
        """Write from elsewhere: a command, which folds what is there, a fact, or a late event."""
        what = rng.random()
        if what < 0.05:
            await other.execute(write, rng.randrange(100))
        elif what < 0.1:
            await other.events.append_many(write(None, rng.randrange(100)))
        elif what < 0.2 and any(waiting.values()):
            await receive(other, *taken())

    other = await db.content_store("notes", notes())
    between_pages(monkeypatch, store._core, live)
    while any(waiting.values()):
        await store.replica.ingest(taken())
        if rng.random() < 0.1:
            await store.execute(write, rng.randrange(100))
            await store.log.append("t0", {"n": 1})
    assert replays
    assert await snapshots_of(store)
    await folds_like_a_rebuild(store)
    assert await snapshots_of(store) == []
