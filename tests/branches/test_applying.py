"""Plans are written for all spaces at once, or for none."""

import pytest

from ramax.branches.applying import Applier
from ramax.branches.plan import Planned, SpacePlan
from ramax.core.datatypes import kv
from ramax.core.merging.contents import making
from ramax.core.merging.knowledge import Origin
from ramax.core.merging.things import Thing
from ramax.errors import DataError
from ramax.storage.merges import read_known, segments_of
from ramax.values import NewEvent
from tests._domains import documents, put

DOCUMENTS = documents()


def planned(key, value):
    return Planned(NewEvent("doc.put", value, entity_id=key), Origin(90, 1))


def put_key(name, value):
    return Planned(making(Thing("kv", name), value, None)[0], Origin(90, 2))


@pytest.fixture
async def two(db):
    return [await db.content_store(name, DOCUMENTS) for name in "ab"]


async def apply(db, plans):
    applier = Applier(db._core)
    done = await db._core.locked("test", lambda ex: applier.apply(ex, plans))
    for plan in plans:
        db._core.cache.forget(plan.space.space_id)
    return done


async def test_events_of_the_application_and_of_data_types_keep_their_order(db, two):
    a, b = two
    await a.execute(put, ["k0", {"n": 0}])
    events = [put_key("x", 1), planned("k", {"n": 1}), put_key("x", 2), planned("k", {"n": 2})]
    plans = [SpacePlan(a.space, DOCUMENTS, events), SpacePlan(b.space, DOCUMENTS, events[:1])]
    done = await apply(db, plans)
    assert [each.space_sequence for each in done] == [5, 1]
    types = [event.event_type async for event in a.events.stream()]
    assert types[1:] == [kv.PUT, "doc.put", kv.PUT, "doc.put"]
    assert await a.pstate.fetch("k") == {"n": 2}
    assert (await a.kv.get("x"), await b.kv.get("x")) == (2, 1)
    for store in two:
        assert (await store.verify()).findings == ()


async def test_one_event_that_is_refused_leaves_every_space_as_it_was(db, two):
    a, b = two
    bad = Planned(NewEvent("doc.put", {"n": 1}, entity_id=""), None)
    with pytest.raises(DataError, match="entity id"):
        await apply(
            db,
            [
                SpacePlan(a.space, DOCUMENTS, [planned("k", {"n": 1})], known={90: 5}),
                SpacePlan(b.space, DOCUMENTS, [planned("k", {"n": 1}), bad]),
            ],
        )
    for store in two:
        assert await store.events.get_space_latest_sequence() == 0


async def test_what_is_known_without_events_is_remembered_behind_the_newest(db, two):
    a, _ = two
    await a.execute(put, ["k0", {"n": 0}])
    (done,) = await apply(db, [SpacePlan(a.space, None, known={90: 5})])
    assert (done.space_sequence, done.changed) == (1, False)

    def known(ex, space_id, head):
        return read_known(ex, segments_of(ex, space_id, head))

    assert await db._core.read(lambda ex: known(ex, a.space.space_id, 1)) == {
        a.space.space_id: 1,
        90: 5,
    }


async def test_data_types_are_folded_where_nobody_else_folds(db):
    plain = await db.content_store("plain")
    await apply(db, [SpacePlan(plain.space, None, [put_key("x", 1)])])
    assert await plain.get_checkpoint() == 1
    assert await plain.kv.get("x") == 1
