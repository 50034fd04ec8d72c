from ramax.core.codec import encode
from ramax.storage import import_rows
from tests._tables import dump


async def locked(db, work):
    return await db._core.locked("a test", work)


async def test_a_space_gets_the_id_it_had_or_a_new_one_and_a_guard(db):
    meta = encode({"a": 1}, "metadata")
    made = [
        await locked(db, lambda ex: import_rows.create_space(ex, 7, "Old Name!", 5, meta)),
        await locked(db, lambda ex: import_rows.create_space(ex, None, "b", 6, None)),
        await locked(db, lambda ex: import_rows.create_space(ex, None, "b", 6, None)),
    ]
    assert made[0] == 7
    assert made[1] is not None
    assert made[2] is None
    found = await db.spaces.get(7)
    assert (found.space_name, found.metadata) == ("Old Name!", {"a": 1})
    rows = await dump(db)
    assert [r["last_sequence"] for r in rows["space_sequences"]] == [0, 0]


async def test_a_space_is_described_anew_and_belongs_to_no_domain_any_more(db):
    made = await db.spaces.create("a", {"old": True})
    meta = encode({"new": True}, "metadata")
    await locked(db, lambda ex: import_rows.describe_space(ex, made.space_id, 77, meta))
    (row,) = (await dump(db))["spaces"]
    assert (row["created_at"], row["metadata"], row["domains"]) == (77, meta, None)


async def test_a_guard_moves_and_its_time_never_falls(db):
    made = await db.spaces.create("a")
    for head, stamp in ((3, 50), (4, 20)):
        await locked(
            db,
            lambda ex, h=head, s=stamp: import_rows.move_guard(
                ex, made.space_id, last_sequence=h, last_timestamp=s
            ),
        )
    (guard,) = (await dump(db))["space_sequences"]
    assert (guard["last_sequence"], guard["state_version"], guard["last_timestamp"]) == (4, 2, 50)


async def test_rows_are_written_as_they_are_with_or_without_what_may_be_missing(db):
    events = [
        (5, 1, 1, "e", "t", b"\x00\xff", "etf", -3, None, None, None),
        (9, 1, 2, "ä", "t", b"x", "json", 4, 5, "run", 8),
    ]
    values = [(1, "k", b"\x83a\x01", "etf", None), (2, "k", b"1", "json", 9)]
    await locked(db, lambda ex: import_rows.insert_events(ex, events))
    await locked(db, lambda ex: import_rows.insert_values(ex, values))
    for write in (import_rows.insert_events, import_rows.insert_values):
        await locked(db, lambda ex, w=write: w(ex, []))
    rows = await dump(db)
    found = sorted(tuple(r[c] for c in import_rows.EVENT_COLUMNS) for r in rows["events"])
    assert found == events
    assert all(r["metadata"] is None for r in rows["events"])
    stored = [tuple(r[c] for c in import_rows.VALUE_COLUMNS) for r in rows["pstate_entities"]]
    assert sorted(stored, key=repr) == values
    assert {r["direct"] for r in rows["pstate_entities"]} == {0}


async def test_checkpoints_are_set_and_none_is_fine(db):
    made = await db.spaces.create("a")
    step = {"space_id": made.space_id, "name": "legacy", "event_id": 4, "sequence": 2, "now": 7}
    await locked(db, lambda ex: import_rows.set_checkpoints(ex, []))
    await locked(db, lambda ex: import_rows.set_checkpoints(ex, [step]))
    assert await db.checkpoints.list("a") == {"legacy": 2}
