from ramax.runtime.fold_order import FoldOrder
from ramax.testing.records import record

ONE = b"device-of-origin"


async def test_a_page_is_read_again_until_it_was_folded(db):
    store = await db.content_store("notes")
    for key in "abc":
        await store.kv.put(key, 1)
    order = FoldOrder(store.space.space_id, replicated=False)
    first = await store._core.read(lambda ex: order.next_page(ex, 2))
    assert await store._core.read(lambda ex: order.next_page(ex, 2)) == first
    order.folded()
    rest = await store._core.read(lambda ex: order.next_page(ex, 2))
    assert [row[2] for row in (*first, *rest)] == [1, 2, 3]
    assert (order.sequence, order.upcoming) == (2, 3)


async def test_a_replicated_space_is_read_by_stamps_whatever_order_events_came_in(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    await store.replica.ingest([record(ONE, 1, stamp=900 << 16)])
    await store.replica.ingest([record(ONE, 2, stamp=950 << 16)])
    two = b"server-of-origin"
    await store.replica.ingest([record(two, 1, stamp=1 << 16), record(two, 2, stamp=920 << 16)])
    order = FoldOrder(store.space.space_id, replicated=True)
    stamps = []
    for _ in range(3):
        rows = await store._core.read(lambda ex: order.next_page(ex, 2))
        order.folded()
        stamps += [row[2] for row in rows]
    assert stamps == [1 << 16, 900 << 16, 920 << 16, 950 << 16]
    assert order.sequence == 4
