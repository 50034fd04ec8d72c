"""Events that came late are folded where they belong; only what they are about is folded anew."""

import random

import pytest

from ramax import Domain, NewEvent
from ramax.core.codec import encode
from ramax.runtime import late
from ramax.runtime.refold import Refold
from ramax.storage.reads import read_range
from ramax.testing.records import record

ONE = b"device-of-origin"


def put(seq: int, key: str, value: object, stamp: int) -> object:
    return record(
        ONE,
        seq,
        event_type="ramax.kv.put",
        entity_id=f"ramax.kv:{key}",
        payload=encode({"value": value}, "payload"),
        stamp=stamp,
    )


async def test_a_late_event_does_not_take_the_place_of_what_came_after_it(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.kv.put("a", "newer")
    await store.replica.ingest([put(1, "a", "older", 1 << 16), put(2, "b", "alone", 2 << 16)])
    assert await store.kv.get("a") == "newer"
    assert await store.kv.get("b") == "alone"


async def test_what_a_late_event_deletes_stays_if_it_was_written_after(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.kv.put("a", 1)
    gone = record(
        ONE,
        1,
        event_type="ramax.kv.deleted",
        entity_id="ramax.kv:a",
        payload=encode({}, "payload"),
        stamp=1 << 16,
    )
    await store.replica.ingest([gone])
    assert await store.kv.get("a") == 1


async def test_what_was_deleted_after_a_late_event_stays_deleted(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.kv.put("a", 1)
    await store.kv.delete("a")
    await store.replica.ingest([put(1, "a", "older", 1 << 16)])
    assert await store.kv.get("a") is None
    assert await store.kv.count() == 0


async def test_late_events_of_a_domain_are_folded_in_the_order_of_their_stamps(db):
    notes = Domain("notes")

    @notes.applicator("note.written")
    def was_written(state, event):
        state["all"] = [*state.get("all", []), event.payload["value"]]

    def write(_state, value):
        return [NewEvent("note.written", {"value": value}, entity_id="n")]

    store = await db.content_store("notes", domain=notes)
    await store.replica.enable()
    await store.execute(write, "here")
    await store.replica.ingest(
        [record(ONE, 1, "first", stamp=1 << 16), record(ONE, 2, "second", stamp=2 << 16)]
    )
    assert await store.pstate.get("all") == ["first", "second", "here"]
    assert (await store.verify()).ok
    await store.rebuild_pstate()
    assert await store.pstate.get("all") == ["first", "second", "here"]
    assert await store.as_of(2).pstate.get("all") == ["first", "here"]


async def test_a_late_event_is_reacted_to_once_and_nothing_before_it_again(db):
    """B13: what is folded anew is not what happens again."""
    notes = Domain("notes")
    seen: list[str] = []

    @notes.applicator("note.written")
    def was_written(state, event):
        state["all"] = [*state.get("all", []), event.payload["value"]]

    @notes.reaction("note.written")
    async def tell(event, _context):
        seen.append(event.payload["value"])

    def write(_state, value):
        return [NewEvent("note.written", {"value": value}, entity_id="n")]

    store = await db.content_store("notes", domain=notes)
    await store.replica.enable()
    await store.execute(write, "here")
    await store.run_reactions(follow=False)
    await store.replica.ingest([record(ONE, 1, "late", stamp=1 << 16)])
    await store.run_reactions(follow=False)
    assert await store.pstate.get("all") == ["late", "here"]
    assert seen == ["here", "late"]


async def test_what_was_there_before_a_space_was_replicated_is_folded_once(db):
    store = await db.content_store("notes")
    await store.kv.put("a", 1)  # the first event alone touches nothing else
    await store.log.append("seen", {})
    await store.replica.enable()
    assert await store.log.len() == 1
    assert (await store.verify()).ok


async def test_events_of_a_domain_that_folds_in_any_order_are_folded_as_they_come(db, monkeypatch):
    def refold(*_given):
        raise AssertionError("nothing is folded anew")

    counts = Domain("counts", order="any")

    @counts.applicator("note.written")
    def was_written(state, event):
        state["count"] = state.get("count", 0) + 1
        state["last"] = max(
            state.get("last", [0, ""]), [event.space_sequence, event.payload["value"]]
        )

    def write(_state, value):
        return [NewEvent("note.written", {"value": value}, entity_id="n")]

    store = await db.content_store("notes", domain=counts)
    await store.replica.enable()
    await store.execute(write, "here")
    monkeypatch.setattr(late, "Anew", refold)
    await store.replica.ingest([record(ONE, 1, "a", stamp=1 << 16), put(2, "k", "v", 2 << 16)])
    assert await store.pstate.get("count") == 2
    assert (await store.pstate.get("last"))[1] == "here"
    assert await store.kv.get("k") == "v"
    assert (await store.verify()).ok


async def test_a_late_event_that_nobody_folds_makes_nothing_anew(db, monkeypatch):
    store = await db.content_store("notes", domain=Domain("notes"))
    await store.replica.enable()
    await store.kv.put("a", 1)
    monkeypatch.setattr(late, "Anew", None)
    await store.replica.ingest([record(ONE, 1, "unknown", stamp=1 << 16)])
    assert await store.get_checkpoint() == 2


def tree_event(origin: bytes, seq: int, stamp: int, what: str, **said: object) -> object:
    return record(
        origin,
        seq,
        event_type=f"ramax.tree.{what}",
        entity_id="ramax.tree:t",
        payload=encode(said, "payload"),
        stamp=stamp,
    )


def histories(rng: random.Random, origins: str, each: int) -> dict[str, list[object]]:
    """What replicas of a tree record apart, with clocks that run side by side."""
    nodes, found = "abcde", {}
    for origin in origins:
        stamp, mine = 0, []
        for seq in range(1, each + 1):
            stamp += rng.randrange(1, 4) << 16
            node, parent = rng.choice(nodes), rng.choice([*nodes, "root", "trash"])
            said = {"node": node, "parent": parent, "key": rng.choice("UVW")}
            what = rng.choice(["created", "moved", "moved", "changed"])
            if what == "created":
                said |= {"properties": {"by": origin}}
            elif what == "changed":
                said = {
                    "node": node,
                    "set": {origin: seq, "by": origin},
                    "unset": ["by"] * (seq % 2),
                }
            mine.append(tree_event(origin.encode() * 16, seq, stamp, what, **said))
        found[origin] = mine
    return found


async def rows_of(store):
    """Read the pstate as it is stored."""
    found = await store._core.read(lambda ex: read_range(ex, store.space.space_id, "", "~"))
    return sorted(found.items())


@pytest.mark.parametrize("seed", range(4))
async def test_late_moves_of_a_tree_come_to_the_sorted_fold(db, monkeypatch, seed):
    """B7, B8: whatever batches they come in, without folding anything else anew."""
    rng = random.Random(seed)
    monkeypatch.setattr(late, "Anew", None)
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.kv.put("a", 1)
    await store.tree("other").create(node="a")
    waiting = histories(rng, "xyz", 12)
    while any(waiting.values()):
        origin = rng.choice([each for each, records in waiting.items() if records])
        size = rng.randint(1, 5)
        batch, waiting[origin] = waiting[origin][:size], waiting[origin][size:]
        await store.replica.ingest(batch)
    merged = await rows_of(store)
    assert (await store.verify()).ok
    await store.rebuild_pstate()
    assert await rows_of(store) == merged


async def test_a_tree_of_too_many_events_is_merged_with_all_of_its_space(db, monkeypatch):
    store = await db.content_store("notes")
    await store.replica.enable()
    for node in "abc":
        await store.tree("t").create(node=node)
    monkeypatch.setattr(late, "_IN_MEMORY", 3)
    old = [
        tree_event(ONE, 1, 1 << 16, "created", node="z", parent="root", key="V", properties={}),
        tree_event(ONE, 2, 2 << 16, "moved", node="a", parent="z", key="V"),
    ]
    await store.replica.ingest(old)
    assert [each.node for each in await store.tree("t").children()][:1] == ["z"]
    assert (await store.verify()).ok


async def test_what_others_record_about_a_tree_or_a_key_is_folded_once(db):
    """An entity of that name may be anybody's: their events are not those of the data type."""
    counts = Domain("counts")

    @counts.applicator("note.written")
    def was_written(state, event):
        state["count"] = state.get("count", 0) + 1

    def write(_state, entity):
        return [NewEvent("note.written", {}, entity_id=entity)]

    store = await db.content_store("notes", domain=counts)
    await store.replica.enable()
    for entity in ("ramax.tree:t", "ramax.kv:k"):
        await store.execute(write, entity)
    await store.tree("t").create(node="a")
    await store.kv.put("k", "newer")
    created = {"node": "z", "parent": "root", "key": "V", "properties": {}}
    await store.replica.ingest(
        [tree_event(ONE, 1, 1 << 16, "created", **created), put(2, "k", "older", 2 << 16)]
    )
    assert await store.pstate.get("count") == 2
    assert await store.kv.get("k") == "newer"
    assert await store.tree("t").count() == 2
    assert (await store.verify()).ok


async def test_a_fold_of_all_of_a_space_is_made_beside_live_writes(db, monkeypatch):
    """Under the lock there is only what came meanwhile, and what differs."""
    under_the_lock = []
    swap = Refold.swap

    def swapping(self, ex, compared, now):
        under_the_lock.append(self.sequence)
        swap(self, ex, compared, now)

    monkeypatch.setattr(Refold, "swap", swapping)
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.log.append_many([("seen", {"n": n}) for n in range(20)])
    under_the_lock.clear()
    late_entry = record(
        ONE,
        1,
        event_type="ramax.log.seen",
        entity_id="ramax.log:entries",
        payload=encode({"n": "late"}, "payload"),
        stamp=1 << 16,
    )
    await store.replica.ingest([late_entry])
    assert under_the_lock == [21]
    assert [each.payload["n"] for each in await store.log.range(1, 3)] == ["late", 0]
    assert (await store.verify()).ok
