from dataclasses import replace

import pytest

from ramax.storage.append_statement import Form, append_statement, parameters
from ramax.storage.tables import build_tables
from tests._plans import NEW, appended, event, plan, write
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
    one = NEW._replace(last_sequence=2)
    await how(db, [appended(s, 1, one, puts={"z": b"\x04"}, checkpoint=3) for s in ids])
    caused = event(4)._replace(
        causation_id=1, correlation_id="c", metadata=b"\x80", version=2, tags=b"\x91\xa1t"
    )
    told = NEW._replace(last_sequence=3, checkpoint=3)
    await how(db, [replace(appended(s, 0, told), events=[caused]) for s in ids])
    gone = NEW._replace(last_sequence=4, checkpoint=3)
    await how(db, [appended(s, 0, gone, deletes=["z"]) for s in ids])
    later = NEW._replace(last_sequence=4, checkpoint=3)
    await how(
        db,
        [
            appended(s, 2, later, puts={"y": b"\x03"}, deletes=["x"], checkpoint=5, version_step=1)
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
    assert len(ones[0]["events"]) == 6
    assert ones[0] == ones[1]
    assert ones == many


async def test_a_checkpoint_names_the_event_it_has_folded_and_not_the_last_one(db_on_postgres):
    db = db_on_postgres
    a, b = [(await db.spaces.create(name)).space_id for name in ("a", "b")]
    done = await write(db, plan(appended(a, 3, checkpoint=2), appended(b, 1, checkpoint=1)))
    rows = (await dump(db))["projection_checkpoints"]
    assert {r["space_id"]: r["last_event_id"] for r in rows} == {
        a: done[a][2],
        b: done[b][1],
    }


async def test_spaces_without_events_are_written_beside_those_with_some(db_on_postgres):
    db = db_on_postgres
    a, b, c = [(await db.spaces.create(name)).space_id for name in ("a", "b", "c")]
    await write(db, plan(appended(b, 2)))
    older = NEW._replace(last_sequence=2)
    behind = appended(b, 1, older, checkpoint=2, checkpoint_event_id=55)
    done = await write(
        db, plan(appended(a, 2, checkpoint=2), behind, appended(c, 0, puts={"k": b"\x01"}))
    )
    assert {space_id: sorted(ids) for space_id, ids in done.items()} == {a: [1, 2], b: [3], c: []}
    rows = (await dump(db))["projection_checkpoints"]
    assert {r["space_id"]: (r["last_space_sequence"], r["last_event_id"]) for r in rows} == {
        a: (2, done[a][2]),
        b: (2, 55),
    }


async def test_some_of_several_spaces_move_their_checkpoints(db_on_postgres):
    db = db_on_postgres
    a, b = [(await db.spaces.create(name)).space_id for name in ("a", "b")]
    done = await write(db, plan(appended(a, 3, checkpoint=2), appended(b, 2)))
    rows = (await dump(db))["projection_checkpoints"]
    assert [(r["space_id"], r["last_space_sequence"], r["last_event_id"]) for r in rows] == [
        (a, 2, done[a][2])
    ]


async def test_a_checkpoint_that_moves_without_events_takes_the_id_that_is_given(db_on_postgres):
    db = db_on_postgres
    space_id = (await db.spaces.create("s")).space_id
    await write(db, plan(appended(space_id, 2)))
    guard = NEW._replace(last_sequence=2)
    await write(db, plan(appended(space_id, 0, guard, checkpoint=2, checkpoint_event_id=77)))
    rows = (await dump(db))["projection_checkpoints"]
    assert [(r["last_space_sequence"], r["last_event_id"]) for r in rows] == [(2, 77)]


EVERY_FORM = [
    Form(spaces, events, puts, deletes, checkpoint, more, apart)
    for spaces in (1, 2)
    for events in (0, 1, 2)
    for puts in (0, 1, 2)
    for deletes in (0, 1)
    for checkpoint in (False, True)
    for more in (False, True)
    for apart in ((False, True) if spaces > 1 and events > 1 else (False,))
]


@pytest.mark.parametrize("form", EVERY_FORM, ids=lambda form: "-".join(map(str, map(int, form))))
def test_every_form_takes_what_a_write_lays_out_and_marks_before_it_draws(form):
    compiled = append_statement(form).on(build_tables("postgresql", "elsewhere"))
    assert set(compiled.names) <= set(parameters(form))
    given = {"n": 1, "e": form.events, "k": form.puts, "d": form.deletes}
    used = {name.partition("_")[0] for name in compiled.names} - {"token", "now"}
    assert used == {name for name, rows in given.items() if rows}
    assert ("FROM elsewhere.event_id_seq" in compiled.text) == bool(form.events)
