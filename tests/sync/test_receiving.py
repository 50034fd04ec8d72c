"""Taking records: once, wholly or not at all, and never those that cannot be."""

import asyncio

import pytest

import ramax
from ramax.core.clock import COUNTER_BITS
from ramax.core.codec import encode
from ramax.core.sync.record import EventRecord, digest_of
from ramax.errors import DataError, ForkError, GapError, MisuseError
from ramax.sync.replica import IngestResult
from ramax.testing.records import record, records

ONE, TWO = b"device-of-origin", b"server-of-origin"


KEYS = [f"note:{seq}" for seq in range(1, 21)]
notes = ramax.Domain(
    "notes", lambda state, event: state.__setitem__(event.entity_id, event.payload["value"])
)


async def everything(replica, since=None):
    return [r async for page in replica.read(since or {}) for r in page]


def changed(record: EventRecord, **fields) -> EventRecord:
    said = record._replace(**fields)
    return said._replace(digest=digest_of(*said[:-1]))


@pytest.fixture
async def store(db):
    store = await db.content_store("notes")
    await store.replica.enable(b"space-uid-of-one")
    return store


async def test_a_space_that_is_not_replicated_takes_nothing(db):
    store = await db.content_store("notes")
    with pytest.raises(MisuseError, match="enable"):
        await store.replica.ingest(records(ONE, 1, 1))


async def test_a_repetition_in_any_order_changes_nothing(store):
    """B6, A10."""
    given = records(ONE, 1, 5)
    await store.replica.ingest(given[:3])
    result = await store.replica.ingest([given[4], given[1], given[3], given[4]])
    assert (result.accepted, result.duplicates, result.vector[ONE]) == (2, 2, 5)
    assert await everything(store.replica) == given


async def test_origins_in_turns_with_own_events_between_them_stay_what_they_were(db, memory_url):
    store = await db.content_store("notes", notes)
    await store.replica.enable(b"space-uid-of-one")
    given = {ONE: records(ONE, 1, 12), TWO: records(TWO, 1, 12)}
    for start in range(0, 12, 3):
        for origin in (ONE, TWO):
            await store.replica.ingest(given[origin][start : start + 3])
            await store.kv.put(f"k{start}", start)
            await store.kv.put("last", start)
    rest = [*records(ONE, 13, 20), *records(TWO, 13, 20)]
    await store.replica.ingest(sorted(rest, key=lambda each: each.origin_seq))
    found = await everything(store.replica)
    info = await store.replica.info()
    assert info.vector == {ONE: 20, TWO: 20, info.origin: 16}
    for origin in (ONE, TWO):
        assert [each for each in found if each.origin == origin] == records(origin, 1, 20)
    assert (await store.replica.ingest(found)).duplicates == len(found)
    await store.verify()
    async with ramax.connect(memory_url) as other_db:
        other = await other_db.content_store("notes", notes)
        await other.replica.enable(b"space-uid-of-one")
        await other.replica.ingest(sorted(found, key=lambda each: (each.origin_seq, each.origin)))
        again = await everything(other.replica)
        assert sorted(again) == sorted(found)
        assert await other.pstate.get_many(KEYS) == await store.pstate.get_many(KEYS)
        assert await other.kv.get("last") == await store.kv.get("last") == 9


async def test_after_a_gap_nothing_is_taken(store):
    with pytest.raises(GapError) as caught:
        await store.replica.ingest([*records(TWO, 1, 2), *records(ONE, 2, 3)])
    assert caught.value.wanted == {}
    assert await everything(store.replica) == []


async def test_another_event_in_its_place_is_a_fork_and_nothing_is_taken(store):
    """B10."""
    await store.replica.ingest(records(ONE, 1, 2))
    with pytest.raises(ForkError) as caught:
        await store.replica.ingest([*records(TWO, 1, 1), record(ONE, 2, "another")])
    assert (caught.value.origin, caught.value.sequence) == (ONE, 2)
    assert await everything(store.replica) == records(ONE, 1, 2)


async def test_a_fork_is_found_among_callers_of_one_commit(store):
    """B10: what the other caller brought is not stored yet when it is compared with."""
    await store.kv.put("first", 0)
    one, other = record(ONE, 1), changed(record(ONE, 1, "another"), uid=b"another id of 16")
    busy = [store.kv.put(f"k{n}", n) for n in range(20)]
    *_, first, again, forked = await asyncio.gather(
        *busy,
        store.replica.ingest([one]),
        store.replica.ingest([one]),
        store.replica.ingest([other]),
        return_exceptions=True,
    )
    assert isinstance(forked, ForkError)
    told = [each for each in (first, again) if isinstance(each, IngestResult)]
    assert [(each.accepted, each.duplicates) for each in told] == [(1, 0), (0, 1)]


async def test_two_events_of_one_id_are_a_fork(store):
    """B10: also where the places differ."""
    await store.replica.ingest(records(ONE, 1, 1))
    same = changed(record(TWO, 1), uid=record(ONE, 1).uid)
    with pytest.raises(ForkError):
        await store.replica.ingest([same])
    with pytest.raises(ForkError):
        await store.replica.ingest(
            [
                changed(record(ONE, 2), uid=same.uid[::-1]),
                changed(record(ONE, 3), uid=same.uid[::-1]),
            ]
        )
    assert await everything(store.replica) == records(ONE, 1, 1)


async def test_what_is_no_record_is_refused(store):
    for bad in (
        changed(record(ONE, 1), origin_seq=0),
        changed(record(ONE, 1), uid=b"short"),
        changed(record(ONE, 1), event_type=""),
    ):
        with pytest.raises(DataError):
            await store.replica.ingest([bad])
    assert await everything(store.replica) == []


async def test_a_clock_far_ahead_is_not_adopted_and_holds_up_nobody_else(store):
    """B11: what it says may come again, when its time has come."""
    ahead = (4_000_000_000_000 << COUNTER_BITS) + 1
    late, later = changed(record(ONE, 2), stamp=ahead), record(ONE, 3)
    result = await store.replica.ingest([record(ONE, 1), late, later, *records(TWO, 1, 2)])
    assert (result.accepted, result.vector) == (3, {ONE: 1, TWO: 2})
    assert [(each.uid, each.code) for each in result.rejected] == [(late.uid, "sync.clock_skew")]
    assert (await store.replica.info()).stamp < ahead


async def test_local_events_come_after_all_that_is_known(store):
    await store.replica.ingest([record(ONE, 1)])
    seen = changed(record(ONE, 2), stamp=(await store.replica.info()).stamp + 99)
    await store.replica.ingest([seen])
    await store.kv.put("a", 1)
    own = (await store.replica.info()).origin
    assert [r.stamp > seen.stamp for r in await everything(store.replica) if r.origin == own] == [
        True
    ]


async def test_causes_are_the_same_events_everywhere(store, memory_url):
    """Ids of events differ from replica to replica; what caused what does not."""
    cause = await store.events.append("e", "asked", {})
    await store.events.append("e", "answered", {}, causation_id=cause.event_id)
    given = await everything(store.replica)
    assert given[1].causation == given[0].uid
    async with ramax.connect(memory_url) as db:
        for name, batches in (("one", [given]), ("two", [given[:1], given[1:]])):
            await (await db.content_store("other")).kv.put(name, 1)  # so that ids differ
            copy = await db.content_store(name)
            await copy.replica.enable(b"space-uid-of-one")
            for batch in batches:
                await copy.replica.ingest(batch)
            assert await everything(copy.replica) == given
            there = [event async for event in copy.events.stream()]
            assert there[1].causation_id == there[0].event_id != cause.event_id


async def test_an_unknown_type_is_kept_passed_on_and_folded_later(store, memory_url):
    """B17."""
    given = records(ONE, 1, 3)
    async with ramax.connect(memory_url) as db:
        relay = await db.content_store("notes")
        await relay.replica.enable(b"space-uid-of-one")
        await relay.replica.ingest(given)
        await store.replica.ingest(await everything(relay.replica))
    notes = ramax.Domain("notes")

    @notes.applicator("note.written")
    def was_written(state, event):
        state[event.entity_id] = event.payload["value"]

    known = await store_with(store, notes)
    await known.rebuild_pstate()
    assert await known.pstate.get("note:2") == given_value(given[1])


def given_value(record: EventRecord):
    from ramax.core.codec import decode

    return decode(record.payload)["value"]


async def store_with(store, domain):
    return type(store)(store._core, store.space, domain)


async def test_a_restored_replica_gets_a_new_origin_and_loses_nothing(store, memory_url):
    """B18: from an old backup it wrote on under numbers that others know as something else."""
    for key in "abcd":
        await store.kv.put(key, key)
    server_knows = await everything(store.replica)
    async with ramax.connect(memory_url) as db:
        restored = await db.content_store("notes")
        await restored.replica.enable(b"space-uid-of-one")
        # the backup: the first two events, under the origin that wrote them
        await restored.replica.ingest(server_knows[:2])
        await become(db, restored, server_knows[0].origin, 2)
        await restored.kv.put("x", "written after the backup")
        assert (await restored.replica.info()).vector == {server_knows[0].origin: 3}
        with pytest.raises(ForkError):
            await store.replica.ingest(await everything(restored.replica))
        with pytest.raises(GapError) as gap:
            await restored.replica.ingest(server_knows[3:], gives_way=True)
        assert gap.value.wanted[server_knows[0].origin] == 0
        result = await restored.replica.ingest(server_knows, gives_way=True)
        info = await restored.replica.info()
        assert info.origin != server_knows[0].origin
        assert result.vector == {server_knows[0].origin: 4, info.origin: 1}
        await store.replica.ingest(await everything(restored.replica))
        for each in (store, restored):
            assert [await each.kv.get(key) for key in "abcdx"][:4] == list("abcd")
            assert await each.kv.get("x") == "written after the backup"


async def test_a_new_origin_changes_the_order_among_equal_stamps(tmp_path):
    """B18, B7: whichever way the new origin sorts, what was folded follows it."""
    for n in range(6):
        urls = [f"sqlite+aiosqlite:///{tmp_path / f'{name}{n}'}.db" for name in ("one", "two")]
        async with ramax.connect(urls[0]) as here, ramax.connect(urls[1]) as there:
            restored, copy = [await db.content_store("notes") for db in (here, there)]
            await restored.replica.enable(b"space-uid-of-one")
            await copy.replica.enable(b"space-uid-of-one")
            await restored.kv.put("x", "restored")
            (mine,) = await everything(restored.replica)
            rival = changed(
                mine,
                uid=b"rival's id of 16",
                origin=b"\x80" * 16,
                payload=encode({"value": "rival"}, "payload"),
            )
            elsewhere = changed(mine, uid=b"what others have", entity_id="ramax.kv:y")
            await restored.replica.ingest([rival])
            await restored.replica.ingest([elsewhere], gives_way=True)
            await copy.replica.ingest(await everything(restored.replica))
            assert await restored.kv.get("x") == await copy.kv.get("x")


async def become(db, store, origin: bytes, origin_seq: int) -> None:
    """Make a replica go on as another one, as a copy of its files would."""
    from ramax.core.sync.head import ReplicaHead
    from ramax.storage.locks import move_state_version
    from ramax.storage.origins import write_replica_head

    stamp = (await store.replica.info()).stamp
    core = store._core

    def work(ex):
        write_replica_head(ex, store.space.space_id, ReplicaHead(origin, origin_seq, stamp))
        move_state_version(ex, store.space.space_id)

    await core.locked("a test", work)
    core.cache.forget(store.space.space_id)


HOSTILE = [
    ("ramax.kv.put", "ramax.kv:a", {}),
    ("ramax.json.set", "ramax.json:a", {}),
    ("ramax.json.changed", "ramax.json:a", {"changes": [["set"]]}),
    ("ramax.cells.set", "ramax.cells:a", {}),
    ("ramax.vectors.collection_created", "ramax.vectors:v", {"dimension": "x", "metric": 1}),
    ("ramax.vectors.upserted", "ramax.vectors:v/a", {"vector": 1, "metadata": None}),
    ("ramax.tree.moved", "ramax.tree:t", {}),
    ("ramax.tree.created", "ramax.tree:t", {"node": "root", "parent": "b", "key": "V", "properties": {}}),
    ("ramax.tree.created", "ramax.tree:t", {"node": "x/y", "parent": "root", "key": "V", "properties": {}}),
    ("ramax.tree.created", "ramax.tree:t", {"node": "z", "parent": "root", "key": "0", "properties": {}}),
    ("ramax.tree.changed", "ramax.tree:t", {"node": "s"}),
]  # fmt: skip


async def test_an_event_that_nobody_could_fold_is_refused(store):
    for kind, entity, payload in HOSTILE:
        bad = record(ONE, 1, event_type=kind, entity_id=entity, payload=encode(payload, "payload"))
        result = await store.replica.ingest([bad])
        assert (result.accepted, [each.code for each in result.rejected]) == (0, ["sync.unsound"])
    for change in (
        {"payload": b"\xc1"},
        {"payload": b"\x90"},
        {"metadata": b"\x01"},
        {"tags": b"\x01"},
        {"format": "etf"},
        {"event_type": "ramax.replica.refused"},
        {"event_type": "ramax.kv.of_tomorrow"},
    ):
        result = await store.replica.ingest([changed(record(ONE, 1), **change)])
        assert [each.code for each in result.rejected] == ["sync.unsound"]
    assert await everything(store.replica) == []


async def test_nodes_under_each_other_from_elsewhere_make_no_cycle(store):
    """What no tree of ours records: both are created under the other, before it is there."""
    nodes = [{"node": n, "parent": p, "key": "V", "properties": {}} for n, p in ("ab", "ba", "ss")]
    given = [
        record(ONE, n, event_type="ramax.tree.created", entity_id="ramax.tree:t",
               payload=encode(payload, "payload"))
        for n, payload in enumerate(nodes, 1)
    ]  # fmt: skip
    await store.replica.ingest(given)
    tree = store.tree("t")
    async with asyncio.timeout(20):
        for node in "abs":
            await tree.path(node)
        await tree.create(node="mine")
        assert [each.node for each in await tree.children()] == ["mine"]
        await store.kv.put("a", 1)
