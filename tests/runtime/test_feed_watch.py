import pytest

import ramax
from ramax.runtime.feed_watch import FeedWatch
from tests._domains import add, counter


async def test_it_says_up_to_where_the_feed_can_be_read(db, caplog):
    store = await db.content_store("a", counter())
    watch = FeedWatch(0)
    for expected in (0, 1, 2):
        for _ in range(3):
            assert await db._core.read(watch.look) == expected
        await store.execute(add)
    assert caplog.text == ""


@pytest.mark.postgres
async def test_an_open_transaction_that_has_appended_is_named(db_on_postgres, postgres_url, caplog):
    db = db_on_postgres
    store = await db.content_store("a", counter())
    other = await db.content_store("b", counter())
    await store.execute(add)
    patient, watch = FeedWatch(3600), FeedWatch(0)
    named = {"server_settings": {"application_name": "the culprit"}}
    async with ramax.connect(postgres_url, connect_args=named) as elsewhere:
        culprit = await elsewhere.content_store("a", counter())
        async with culprit.transaction() as tx:
            await tx.execute(add)
            await other.execute(add)
            for each in (patient, patient, patient, watch):
                assert await db._core.read(each.look) == 1
            assert caplog.text == ""
            await db._core.read(watch.look)
            assert "held all readers of all spaces back at event 1" in caplog.text
            assert "the culprit, idle in transaction" in caplog.text
    assert await db._core.read(watch.look) == 3
