"""The chain of a log shows every change, also one that somebody made in the events."""

import sqlalchemy as sa

from ramax.core.codec import encode
from tests._elsewhere import wrote


async def fill(store, count=6):
    return await store.log.append_many(
        [("even" if n % 2 == 0 else "odd", {"n": n}) for n in range(1, count + 1)]
    )


async def test_the_chain_holds_and_its_head_can_be_kept_elsewhere(store):
    assert (await store.log.verify()).valid
    await fill(store)
    entries = await store.log.range()
    for before, after in zip(entries, entries[1:], strict=False):
        assert after.previous_hash == before.hash
    found = await store.log.verify()
    assert (found.length, found.valid, found.head) == (6, True, entries[-1].hash)
    assert (await store.log.verify(entries[2].hash)).valid
    unknown = await store.log.verify(b"\1" * 32)
    assert (unknown.valid, unknown.first_invalid) == (False, None)


async def tamper(db, statement, **params):
    async with db.connection() as connection:
        await connection.execute(sa.text(statement), params)
        await connection.commit()


async def test_a_changed_event_is_found(durable_db):
    store = await durable_db.content_store("acme")
    await fill(store)
    await tamper(
        durable_db,
        "UPDATE events SET payload = :p WHERE space_sequence = 4",
        p=encode({"n": 40}, "x"),
    )
    found = await store.log.verify()
    assert (found.valid, found.length, found.first_invalid) == (False, 3, 4)
    assert "entry 4" in found.error


async def test_a_changed_entry_and_a_missing_one_are_found(durable_db):
    store = await durable_db.content_store("acme")
    await fill(store)
    entry = await store.log.get(2)
    row = ["odd", {"n": 2}, 0, entry.hash, entry.previous_hash]
    key = "\x01log:n/0000000000000002"
    await tamper(
        durable_db,
        "UPDATE pstate_entities SET value = :v WHERE key = :k",
        v=encode(row, "x"),
        k=key,
    )
    assert (await store.log.verify()).first_invalid == 2
    await tamper(durable_db, "DELETE FROM pstate_entities WHERE key = :k", k=key)
    assert (await store.log.verify()).first_invalid == 2


async def test_a_replicated_log_stands_in_the_order_of_stamps_and_is_whole(store):
    await store.replica.enable()
    await fill(store, 2)
    await store.replica.ingest([wrote(1, "log.odd", "entries", {"n": 9}, 1)])
    assert [entry.payload["n"] for entry in await store.log.range()] == [9, 1, 2]
    assert (await store.log.verify()).valid
