import pytest

from ramax.core.codec import encode
from ramax.storage.reads import read_facts
from tests._counting import counted
from tests._plans import NEW, appended, plan, write
from tests._tables import dump


async def test_ids_follow_the_sequences_and_never_come_again(db_on_sqlite):
    db = db_on_sqlite
    one, two = await db.spaces.create("one"), await db.spaces.create("two")
    a, b = one.space_id, two.space_id
    done = await write(db, plan(appended(a, 2), appended(b, 1)))
    assert {s: dict(w) for s, w in done.items()} == {a: {1: 1, 2: 2}, b: {1: 3}}
    await db.spaces.delete(two, force=True)
    again = await write(db, plan(appended(a, 1, NEW._replace(last_sequence=2))))
    assert dict(again[a]) == {3: 4}


async def test_a_lost_guard_writes_nothing_and_takes_no_id(db_on_sqlite):
    db = db_on_sqlite
    lost, kept = await db.spaces.create("lost"), await db.spaces.create("kept")
    stale = NEW._replace(state_version=1)
    first = appended(lost.space_id, 3, stale, puts={"k": b"\x01"}, checkpoint=3)
    done = await write(db, plan(first, appended(kept.space_id)))
    assert {s: dict(w) for s, w in done.items()} == {kept.space_id: {1: 1}}
    rows = await dump(db)
    assert {r["space_id"] for r in rows["events"]} == {kept.space_id}
    assert not rows["pstate_entities"]
    assert not rows["projection_checkpoints"]


@pytest.mark.parametrize("count", [1, 49, 50, 51, 101])
async def test_any_number_of_rows_is_written_whole(db_on_sqlite, count):
    db = db_on_sqlite
    space = await db.spaces.create("s")
    puts = {f"k{n:03}": bytes([n]) for n in range(count)}
    done = await write(db, plan(appended(space.space_id, count, puts=puts, checkpoint=count)))
    assert dict(done[space.space_id]) == {n: n for n in range(1, count + 1)}
    rows = await dump(db)
    found = sorted((r["event_id"], r["space_sequence"], r["payload"]) for r in rows["events"])
    assert found == [(n, n, encode({"n": n}, "payload")) for n in range(1, count + 1)]
    assert {r["key"]: r["value"] for r in rows["pstate_entities"]} == puts


@pytest.mark.parametrize("odd", [0, 30, 119])
@pytest.mark.parametrize(
    "own", [{"correlation_id": "c"}, {"micros": 7}, {"tags": b"\x90"}, {"version": 2}]
)
async def test_events_that_are_not_alike_keep_what_is_their_own(db_on_sqlite, odd, own):
    db = db_on_sqlite
    space = await db.spaces.create("s")
    wanted = appended(space.space_id, 120)
    wanted.events = [
        row._replace(**own) if n == odd else row for n, row in enumerate(wanted.events)
    ]
    await write(db, plan(wanted))
    rows = (await dump(db))["events"]
    found = [
        (
            r["space_sequence"],
            r["entity_id"],
            r["event_type"],
            r["payload"],
            r["timestamp"],
            r["causation_id"],
            r["correlation_id"],
            r["metadata"],
            r["version"],
            r["tags"],
        )
        for r in sorted(rows, key=lambda r: r["event_id"])
    ]
    assert found == list(wanted.events)


async def test_events_that_differ_in_metadata_only_are_written_fifty_at_a_time(db_on_sqlite):
    db = db_on_sqlite
    space = await db.spaces.create("s")
    wanted = appended(space.space_id, 102)
    wanted.events = [
        row._replace(metadata=encode({"n": n}, "metadata") if n % 7 else None)
        for n, row in enumerate(wanted.events)
    ]
    async with counted(db) as calls:
        await write(db, plan(wanted))
    inserts = [text for text in calls.texts if "INSERT INTO events" in text]
    assert [text.startswith("WITH w") for text in inserts] == [True, True, False, False]
    rows = sorted((await dump(db))["events"], key=lambda r: r["event_id"])
    assert [r["metadata"] for r in rows] == [row.metadata for row in wanted.events]
    assert [r["payload"] for r in rows] == [row.payload for row in wanted.events]
    assert {r["version"] for r in rows} == {1}


async def test_values_are_replaced_whatever_their_number(db_on_sqlite):
    db = db_on_sqlite
    space = await db.spaces.create("s")
    puts = {f"k{n:03}": bytes([n]) for n in range(120)}
    await write(db, plan(appended(space.space_id, puts=puts)))
    newer = {key: value * 2 for key, value in puts.items()}
    await write(db, plan(appended(space.space_id, 1, NEW._replace(last_sequence=1), puts=newer)))
    assert {r["key"]: r["value"] for r in (await dump(db))["pstate_entities"]} == newer


async def test_the_hot_row_takes_the_numbers_and_the_token_of_the_write(db_on_sqlite):
    db = db_on_sqlite
    space = await db.spaces.create("s")
    wanted = appended(space.space_id, 2, version_step=4)
    await write(db, plan(wanted))
    assert (await dump(db))["space_sequences"] == [
        {
            "space_id": space.space_id,
            "last_sequence": 2,
            "state_version": 4,
            "last_timestamp": 1000,
            "writer_token": b"token",
            "head_hash": None,
            "replica_head": None,
        }
    ]


async def test_each_space_gets_its_own_keys_deletes_and_checkpoint(db_on_sqlite):
    db = db_on_sqlite
    one, two = await db.spaces.create("one"), await db.spaces.create("two")
    a, b = one.space_id, two.space_id
    await write(db, plan(*(appended(s, puts={"x": b"\x01", "y": b"\x02"}) for s in (a, b))))
    later = NEW._replace(last_sequence=1)
    # the last event of `a` is not folded: its checkpoint names the id of the one before
    first = appended(a, 2, later, deletes=["x"], checkpoint=2)
    await write(db, plan(first, appended(b, 1, later, puts={"y": b"\x03"}, checkpoint=2)))
    values = await db._core.read(lambda ex: read_facts(ex, {a: ["x", "y"], b: ["x", "y"]}))
    assert values[a].values == {"x": None, "y": b"\x02"}
    assert values[b].values == {"x": b"\x01", "y": b"\x03"}
    rows = (await dump(db))["projection_checkpoints"]
    assert {r["space_id"]: (r["last_space_sequence"], r["last_event_id"]) for r in rows} == {
        a: (2, 3),
        b: (2, 5),
    }
