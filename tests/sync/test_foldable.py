from ramax.core.codec import encode
from ramax.storage.origins import fold_anew
from ramax.sync.foldable import Foldable
from ramax.testing.records import record

ONE = b"device-of-origin"


def put(seq: int):
    return record(
        ONE,
        seq,
        event_type="ramax.kv.put",
        entity_id="ramax.kv:k",
        payload=encode({"key": "k", "value": seq}, "payload"),
    )


async def test_a_log_is_foldable_until_an_event_of_an_application_comes(db):
    store = await db.content_store("notes")
    await store.replica.enable()
    foldable = Foldable()

    async def now():
        return await store._core.read(lambda ex: foldable.without_domain(ex, store.space))

    async def unfold():
        await store._core.locked("a test", lambda ex: fold_anew(ex, store.space.space_id))

    await store.replica.ingest([put(1)])
    assert not await now()  # there is nothing that was not folded
    await unfold()
    assert await now()
    await store.replica.ingest([record(ONE, 2)])
    await unfold()
    assert not await now()
    await store.replica.ingest([put(3)])
    assert not await now()


async def test_events_are_looked_at_once(db):
    """Or a first sync would look at the whole log for each page."""
    store = await db.content_store("notes")
    replica = store.replica
    await replica.enable()
    foldable = Foldable()
    seen = []

    class Watching:
        def __init__(self, ex):
            self._ex, self.tables, self.lineages, self.lasting = ex, ex.tables, {}, False

        def rows(self, statement, params):
            if "first" in params:
                seen.append((params["first"], params["last"]))
            return self._ex.rows(statement, params)

    for n in (1, 2, 3):
        await replica.ingest([record(ONE, n)])
        await store._core.read(
            lambda ex: foldable.without_domain(Watching(ex), store.space)  # type: ignore[arg-type]
        )
    assert seen == [(1, 1)]
