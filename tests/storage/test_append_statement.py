import pytest

from ramax.storage.append_statement import write_many_spaces, write_one_space
from ramax.storage.tables import build_tables
from tests._plans import NEW, appended, plan, write
from tests._tables import dump, of_space

pytestmark = pytest.mark.postgres


async def one_by_one(db, writes):
    for each in writes:
        await write(db, plan(each))


async def all_at_once(db, writes):
    await write(db, plan(*writes))


async def rows_after(db, names, how):
    ids = [(await db.spaces.create(name)).space_id for name in names]
    await how(db, [appended(s, 2, puts={"x": b"\x01", "y": b"\x02"}) for s in ids])
    later = NEW._replace(last_sequence=2)
    await how(
        db,
        [
            appended(s, 2, later, puts={"y": b"\x03"}, deletes=["x"], checkpoint=3, version_step=1)
            for s in ids
        ],
    )
    rows = await dump(db)
    del rows["spaces"]
    return [
        {table: sorted(map(without_ids, each), key=repr) for table, each in found.items()}
        for found in (of_space(rows, space_id) for space_id in ids)
    ]


def without_ids(row):
    return {k: v for k, v in row.items() if k not in {"space_id", "event_id", "last_event_id"}}


async def test_the_form_for_one_space_writes_what_the_form_for_several_does(db_on_postgres):
    ones = await rows_after(db_on_postgres, ("a", "b"), one_by_one)
    many = await rows_after(db_on_postgres, ("c", "d"), all_at_once)
    assert [r["key"] for r in ones[0]["pstate_entities"]] == ["y"]
    assert len(ones[0]["events"]) == 4
    assert ones[0] == ones[1]
    assert ones == many


async def test_a_checkpoint_names_the_event_it_has_folded_and_not_the_last_one(db_on_postgres):
    db = db_on_postgres
    a, b = [(await db.spaces.create(name)).space_id for name in ("a", "b")]
    done = await write(db, plan(appended(a, 3, checkpoint=2), appended(b, 1, checkpoint=1)))
    rows = (await dump(db))["projection_checkpoints"]
    assert {r["space_id"]: r["last_event_id"] for r in rows} == {
        a: done[a].event_ids[2],
        b: done[b].event_ids[1],
    }


async def test_a_checkpoint_that_moves_without_events_takes_the_id_that_is_given(db_on_postgres):
    db = db_on_postgres
    space_id = (await db.spaces.create("s")).space_id
    await write(db, plan(appended(space_id, 2)))
    guard = NEW._replace(last_sequence=2)
    await write(db, plan(appended(space_id, 0, guard, checkpoint=2, checkpoint_event_id=77)))
    rows = (await dump(db))["projection_checkpoints"]
    assert [(r["last_space_sequence"], r["last_event_id"]) for r in rows] == [(2, 77)]


@pytest.mark.parametrize("statement", [write_one_space, write_many_spaces])
def test_the_mark_is_taken_on_the_sequence_of_the_schema(statement):
    text = statement.on(build_tables("postgresql", "elsewhere")).text
    assert "FROM elsewhere.event_id_seq" in text
