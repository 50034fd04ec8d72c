"""ramax_0022 on a filled database: what replicas know of events stays, whichever the form."""

import sqlalchemy as sa

import ramax
from ramax import NewEvent
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.testing.records import record, records
from tests._tables import dump

ONE, TWO = b"device-of-origin", b"server-of-origin"


bad = record(TWO, 2, stamp=1 << 62)  # of a clock that is far ahead


async def everything(store):
    return [r async for page in store.replica.read({}) for r in page]


async def fill(db):
    """Runs of all kinds: before and after `enable`, of others, late ones, with a lost cause."""
    store = await db.content_store("notes")
    await store.kv.put_many({f"k{n}": n for n in range(5)})
    await store.replica.enable(b"space-uid-of-one")
    await store.replica.ingest(records(ONE, 1, 3))
    lost = record(ONE, 4, causation=b"not here, 16 byt")
    await store.replica.ingest([lost])
    await store.replica.ingest([record(TWO, 1), bad, record(TWO, 3)])
    await store.replica.discard(bad.uid)
    await store.kv.put("k", 2)
    await store.events.append_many([NewEvent("t", {}, entity_id="e")] * 3)
    plain = await db.content_store("plain")
    await plain.kv.put("k", 1)
    return store


async def test_down_and_up_again_replicas_know_the_same(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await fill(db)
        known, info = await everything(store), await store.replica.info()
        before = await dump(db)
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0021")
    async with engine.connect() as connection:
        rows = (
            await connection.execute(
                sa.text(
                    "SELECT uid, origin, origin_seq, stamp, late, space_sequence"
                    " FROM event_origins ORDER BY origin, origin_seq"
                )
            )
        ).all()
        heads = await connection.execute(
            sa.text("SELECT length(replica_head) FROM space_sequences ORDER BY space_id")
        )
        assert [head for (head,) in heads] == [32, None]
        # older versions stored the stamps of refused records as these are
        await connection.execute(
            sa.text("UPDATE event_origins SET stamp = :high WHERE uid = :uid"),
            {"high": bad.stamp, "uid": bad.uid},
        )
        await connection.commit()
    stamps = {each.uid: each.stamp for each in known} | {bad.uid: 1 << 16}
    assert [(bytes(uid), bytes(origin), *rest) for uid, origin, *rest, _, _ in rows] == [
        (*each[:3], stamps[each.uid])
        for each in sorted(known, key=lambda r: (r.origin, r.origin_seq))
    ]
    late = {sequence for *_, is_late, sequence in rows if is_late}
    assert late == {1, 6, 7, 8, 9, 10, 13}
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("notes")
        assert await everything(store) == known
        assert await store.replica.info() == info
        after = await dump(db)
        assert after["pstate_entities"] == before["pstate_entities"]
        assert after["events"] == before["events"]
        assert bad.stamp not in {row["stamp"] for row in after["event_origins"]}
        assert (await store.replica.ingest(known)).duplicates == len(known)
        await store.kv.put("k", 3)
        assert len(await everything(store)) == len(known) + 1
        await store.rebuild_pstate()
        assert await store.kv.get("k") == 3


async def test_rows_of_a_space_that_only_began_to_be_replicated_go(durable_url):
    async with ramax.connect(durable_url) as db:
        await fill(db)
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0021")
    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE space_sequences SET replica_head = NULL"))
        await connection.execute(sa.text("UPDATE replicas SET epoch = NULL"))
    await migrate.upgrade(engine)
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        assert (await dump(db))["event_origins"] == []
        store = await db.content_store("notes")
        info = await store.replica.enable()
        assert info.vector == {info.origin: 17}
