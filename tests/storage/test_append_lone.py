from dataclasses import replace

import pytest
import sqlalchemy as sa

from ramax.storage.append_lone import (
    LONE_PARAMETERS,
    LONE_REPLICA_PARAMETERS,
    append_lone,
    append_lone_replica,
    lone,
)
from ramax.storage.tables import build_tables
from tests._plans import NEW, appended, event, plan, write
from tests._tables import dump, of_space

PUT = {"x": b"\x01"}


def command(space_id, guard=NEW, **more):
    """What one command writes that adds one event and puts one value."""
    return appended(space_id, 1, guard, puts=PUT, checkpoint=guard.last_sequence + 1, **more)


def test_lone_commands_are_laid_out_by_column():
    first, second = command(7), command(8, NEW._replace(last_sequence=4, state_version=3))
    columns = lone([first, second])
    assert columns is not None
    assert len(columns) + 2 == len(LONE_PARAMETERS)
    assert columns[:4] == [first.last_timestamp, (7, 8), (0, 4), (0, 3)]
    assert columns[-2:] == [("x", "x"), (b"\x01", b"\x01")]


def test_where_the_logs_of_replicas_are_is_laid_out_if_there_are_any():
    columns = lone([command(7), replace(command(8), replica=b"head")])
    assert columns is not None
    assert len(columns) + 2 == len(LONE_REPLICA_PARAMETERS)
    assert columns[-2:] == [(b"\x01", b"\x01"), [None, b"head"]]


@pytest.mark.parametrize(
    "other",
    [
        replace(command(8), events=[]),
        appended(8, 2, puts=PUT, checkpoint=2),
        replace(command(8), puts={}),
        replace(command(8), puts={"x": b"\x01", "y": b"\x02"}),
        replace(command(8), deletes=["y"]),
        replace(command(8), checkpoint=None),
        command(8, version_step=1),
        command(8, NEW._replace(last_timestamp=5000)),
        replace(command(8), last_timestamp=5000),
        replace(command(8), last_timestamp=5000, events=[event(1)._replace(micros=5000)]),
        *(
            replace(command(8), events=[event(1)._replace(**more)])
            for more in (
                {"causation_id": 1},
                {"correlation_id": "c"},
                {"metadata": b"\x80"},
                {"version": 2},
                {"tags": b"\x90"},
            )
        ),
    ],
)
def test_whatever_is_more_than_that_is_for_the_general_form(other):
    assert lone([command(7), other]) is None


@pytest.mark.parametrize(
    ("statement", "names"),
    [(append_lone, LONE_PARAMETERS), (append_lone_replica, LONE_REPLICA_PARAMETERS)],
)
def test_the_statement_takes_what_is_laid_out_and_marks_before_it_draws(statement, names):
    compiled = statement.on(build_tables("postgresql", "elsewhere"))
    assert set(compiled.names) == set(names)
    assert "FROM elsewhere.event_id_seq" in compiled.text


async def rows_of(db, space_ids):
    rows = await dump(db)
    del rows["spaces"]
    return [
        {
            table: sorted(map(without_ids, each), key=repr)
            for table, each in of_space(rows, space_id).items()
        }
        for space_id in space_ids
    ]


def without_ids(row):
    return {k: v for k, v in row.items() if k not in {"space_id", "event_id", "last_event_id"}}


@pytest.mark.postgres
async def test_it_writes_what_each_command_would_alone(db_on_postgres):
    db = db_on_postgres
    ids = [(await db.spaces.create(name)).space_id for name in ("a", "b", "c", "d")]
    for base in range(3):
        guard = NEW._replace(last_sequence=base, checkpoint=base)
        writes = [command(space_id, guard) for space_id in ids]
        await write(db, plan(writes[0]))
        await write(db, plan(writes[1]))
        done = await write(db, plan(*writes[2:]))
        assert {space_id: list(found) for space_id, found in done.items()} == {
            ids[2]: [base + 1],
            ids[3]: [base + 1],
        }
    first, *others = await rows_of(db, ids)
    assert len(first["events"]) == 3
    assert others == [first] * 3
    events = {r["event_id"]: r for r in (await dump(db))["events"]}
    for step in (await dump(db))["projection_checkpoints"]:
        found = events[step["last_event_id"]]
        assert (found["space_id"], found["space_sequence"]) == (step["space_id"], 3)


@pytest.mark.postgres
async def test_where_the_log_of_a_replica_is_moves_with_it_and_with_no_other(db_on_postgres):
    db = db_on_postgres
    a, b, c = [(await db.spaces.create(name)).space_id for name in ("a", "b", "c")]
    later = NEW._replace(last_sequence=1, checkpoint=1)
    await write(db, plan(replace(command(a), replica=b"a1"), command(b), command(c)))
    changed = replace(command(b, later), replica=b"b2")
    await write(db, plan(replace(command(a, later), replica=b"a2"), changed, command(c, later)))
    found = {r["space_id"]: r for r in (await dump(db))["space_sequences"]}
    assert [found[each]["replica_head"] for each in (a, b, c)] == [b"a2", b"b2", None]
    assert [found[each]["last_sequence"] for each in (a, b, c)] == [2, 2, 2]


@pytest.mark.postgres
async def test_a_space_whose_guard_is_lost_or_locked_is_left_out(db_on_postgres):
    db = db_on_postgres
    a, b, c = [(await db.spaces.create(name)).space_id for name in ("a", "b", "c")]
    stale = NEW._replace(last_sequence=3)
    lock = sa.text("SELECT 1 FROM space_sequences WHERE space_id = :id FOR UPDATE")
    async with db._core.backend._engine.begin() as connection:
        await connection.execute(lock, {"id": b})
        done = await write(db, plan(command(a), command(b), command(c, stale)))
    assert list(done) == [a]
    left = await rows_of(db, [b, c])
    assert not any(rows.get("events") or rows.get("pstate_entities") for rows in left)
