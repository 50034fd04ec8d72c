import pytest
import sqlalchemy as sa

from ramax.errors import StorageError
from ramax.storage import idempotency
from ramax.storage.plan import ConsecutiveIds, Extra
from ramax.storage.spaces import domains_row
from ramax.storage.sql import Statement
from tests._plans import NEW, appended, event, plan, write
from tests._tables import dump


def key_of(space_id: int) -> dict[str, object]:
    return idempotency.row(space_id, "k", b"f" * 16, [], 0, 1)


def test_ids_in_order_are_those_of_the_events_and_of_nothing_else():
    ids = ConsecutiveIds([event(n) for n in (4, 5, 6)], 10)
    assert dict(ids) == {4: 14, 5: 15, 6: 16} and len(ids) == 3
    assert ids.get(3) is None and 7 not in ids
    assert dict(ConsecutiveIds([], 10)) == {}


async def test_extra_rows_are_written_with_the_events_but_not_those_of_a_lost_space(db):
    kept, lost = await db.spaces.create("kept"), await db.spaces.create("lost")
    ids = kept.space_id, lost.space_id
    stale = NEW._replace(last_sequence=5)
    extras = (
        Extra(idempotency.insert, [key_of(space_id) for space_id in ids]),
        *(domains_row(space_id, ["d"]) for space_id in ids),
    )
    done = await write(db, plan(appended(ids[0]), appended(ids[1], guard=stale), extras=extras))
    assert list(done) == [kept.space_id]
    rows = await dump(db)
    assert [row["space_id"] for row in rows["idempotency_keys"]] == [kept.space_id]
    assert {r["space_id"] for r in rows["spaces"] if r["domains"] is not None} == {kept.space_id}


async def test_an_extra_row_that_fails_takes_the_events_with_it(db):
    space = await db.spaces.create("s")
    before = await dump(db)

    @Statement
    def bad(t):
        return sa.insert(t.idempotency_keys).values(
            space_id=sa.bindparam("space_id"), key=sa.bindparam("key")
        )

    extra = Extra(bad, [{"space_id": space.space_id, "key": "k"}])
    with pytest.raises(StorageError):
        await write(db, plan(appended(space.space_id), extras=(extra,)))
    assert await dump(db) == before
