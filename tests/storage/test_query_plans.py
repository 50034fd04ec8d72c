"""The hot statements use the index that is meant for them, on both databases."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ramax import Domain, NewEvent
from ramax.storage import (
    append_sqlite,
    canonical,
    canonical_snapshots,
    checkpoints,
    cursors,
    diffs,
    events,
    feed,
    layer_cursors,
    links,
    merges,
    pstate,
    quarantine,
    reads,
    records,
    runs,
    search,
    subscriptions,
    vector_rows,
    write_back,
)
from ramax.storage.planning import SESSION
from ramax.storage.tables import build_tables

domain = Domain("things", lambda state, event: state.__setitem__(event.entity_id, 1))

SORTED = {"the events of entities in a part of a log"}
"""What is found in one order and wanted in another."""

SEGMENTS = {f"space_id{n}": n + 1 for n in range(3)} | {f"upto{n}": 10**6 for n in range(3)}

CANONICAL = {
    "sqlite": "sqlite_autoindex_canonical_snapshots_1",
    "postgresql": "canonical_snapshots_pkey",
}

PLACE = {"stamp": 7, "origin": b"o" * 16, "origin_seq": 7}

HOT: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "a page of a space": (
        events.space_page,
        {"space_id": 1, "after": 5, "upto": 10**6, "limit": 100},
        {"sqlite": "sqlite_autoindex_events_1", "postgresql": "pk_events"},
    ),
    "a page of all spaces": (
        events._all_page,
        {"after": 5, "upto": 10**6, "limit": 100, "branch_id": 1},
        {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "uq_events_event_id"},
    ),
    "a page of a partition": (
        feed._partition_page,
        {"after": 5, "upto": 10**6, "limit": 100, "partitions": 2, "partition": 1, "branch_id": 1},
        {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "uq_events_event_id"},
    ),
    "the events of an entity over segments": (
        search.page_over(search.Shape(entity=True), 3, reverse=False),
        {"entity_id": "e7", "after": 0, "since": 0, "until": 2**62, "limit": 10, **SEGMENTS},
        {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"},
    ),
    "the snapshots before late events": (
        canonical_snapshots.of_fold,
        {"space_id": 1, "fold": "f"},
        CANONICAL,
    ),
    "a chunk of a snapshot before late events": (
        canonical_snapshots.one_chunk,
        {"space_id": 1, **PLACE, "chunk": 0},
        CANONICAL,
    ),
    "dropping a snapshot before late events": (
        canonical_snapshots.drop_one,
        {"space_id": 1, **PLACE},
        CANONICAL,
    ),
    "dropping the snapshots from a late event on": (
        canonical_snapshots.drop_from,
        {"space_id": 1, "stamp": 7},
        CANONICAL,
    ),
    "dropping the snapshots of other folds": (
        canonical_snapshots.drop_others,
        {"space_id": 1, "fold": "f"},
        CANONICAL,
    ),
    "a page over segments": (
        events.page_over(3),
        {"after": 0, "limit": 10, **SEGMENTS},
        {"sqlite": "sqlite_autoindex_events_1", "postgresql": "pk_events"},
    ),
    "newest of a tag over segments": (
        search.newest_over(search.Shape(tags=1), 3),
        {"tag": "a", "after": 0, **SEGMENTS},
        {"sqlite": "event_tags", "postgresql": "event_tags"},
    ),
    "count of an entity over segments": (
        events.count_over(3),
        {"entity_id": "e7", "after": 0, "limit": 10, **SEGMENTS},
        {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"},
    ),
    "how a subscription stands": (
        subscriptions.standing,
        {"id": 1, "name": "s", "part": 0},
        {
            "sqlite": "sqlite_autoindex_event_subscriptions_1",
            "postgresql": "event_subscriptions_pkey",
        },
    ),
    "a checkpoint": (
        cursors._read,
        {"space_id": 1, "name": "s"},
        {
            "sqlite": "sqlite_autoindex_projection_checkpoints_1",
            "postgresql": "projection_checkpoints_pkey",
        },
    ),
    "the checkpoints at a sequence": (
        checkpoints._standing_at,
        {"space_id": 1, "sequence": 7},
        {
            "sqlite": "sqlite_autoindex_projection_checkpoints_1",
            "postgresql": "projection_checkpoints_pkey",
        },
    ),
    "an event by its id": (
        events._by_id,
        {"event_id": 7},
        {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "uq_events_event_id"},
    ),
    "the number of events of an entity": (
        events.count_of_entity,
        {"space_id": 1, "entity_id": "e7", "upto": 10**6, "limit": 10},
        {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"},
    ),
    "keys that one of two spaces lacks": (
        diffs.missing,
        {"space_id": 1, "other_id": 2},
        {"sqlite": "COVERING INDEX sqlite_autoindex_pstate_entities_1", "postgresql": "Only"},
    ),
    "values beside the log": (
        diffs.direct,
        {"space_id": 1, "other_id": 2},
        {"sqlite": "ix_pstate_direct", "postgresql": "ix_pstate_direct"},
    ),
    "what of a part of a log is copied": (
        merges.copies,
        {"space_id": 1, "after": 5, "upto": 10**6},
        {"sqlite": "PRIMARY KEY", "postgresql": "merged_events_pkey"},
    ),
    "what of another log was decided": (
        merges.decided,
        {"space_id": 1, "origin_space_id": 2, "first": 3, "last": 9, "upto": 10**6},
        {"sqlite": "ix_merged_events_origin", "postgresql": "ix_merged_events_origin"},
    ),
    "what events of a part of a log are about": (
        merges.briefs,
        {"space_id": 1, "after": 5, "upto": 10**6},
        {"sqlite": "sqlite_autoindex_events_1", "postgresql": "pk_events"},
    ),
    "the events of entities in a part of a log": (
        merges.inside,
        {"space_id": 1, "low": "e7", "high": "e8", "after": 5, "upto": 10**6},
        {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"},
    ),
    "the events of an entity in a part of a log": (
        merges.of_entity,
        {"space_id": 1, "entity_id": "e7", "after": 5, "upto": 10**6},
        {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"},
    ),
    "the runs of an origin": (
        runs.runs_of_origin,
        {"space_id": 1, "origin": b"o" * 16, "origin_seq": 5, "limit": 100},
        dict.fromkeys(("sqlite", "postgresql"), "uq_event_origins_place"),
    ),
    "the runs of a part of the log": (
        runs.runs_over,
        {"space_id": 1, "first": 5, "upto": 100},
        {"sqlite": "PRIMARY KEY", "postgresql": "event_origins_pkey"},
    ),
    "the newest run of every origin": (
        runs.newest_runs,
        {"space_id": 1},
        dict.fromkeys(("sqlite", "postgresql"), "uq_event_origins_place"),
    ),
    "the first late event": (
        runs.first_late,
        {"space_id": 1},
        {"sqlite": "PRIMARY KEY", "postgresql": "event_origins_pkey"},
    ),
    "events of an entity and their runs": (
        canonical.entity_events,
        {"space_id": 1, "entity_id": "e7", "upto": 10**6, "limit": 100},
        {
            "sqlite": "SEARCH event_origins USING PRIMARY KEY (space_id=? AND space_sequence=?)",
            "postgresql": "ix_events_space_entity",
        },
    ),
    "late parts of the log": (
        runs.late_over,
        {"space_id": 1, "first": 5, "upto": 100},
        {"sqlite": "PRIMARY KEY", "postgresql": "event_origins_pkey"},
    ),
    "times of a part of the log": (
        canonical.times,
        {"space_id": 1, "after": 5, "upto": 100},
        {"sqlite": "sqlite_autoindex_events_1", "postgresql": "pk_events"},
    ),
    "the run of an event": (
        {"sqlite": records.run_of_id, "postgresql": records._runs_of_ids},
        {
            "sqlite": {"space_id": 1, "event_id": 7},
            "postgresql": {"space_id": 1, "event_ids": [7, 8]},
        },
        {
            "sqlite": "SEARCH event_origins USING PRIMARY KEY (space_id=? AND space_sequence=?)",
            "postgresql": "event_origins_pkey",
        },
    ),
    "the event of a uid that it was given": (
        {"sqlite": records.given_uid, "postgresql": records._given_uids},
        {
            "sqlite": {"space_id": 1, "uid": b"u" * 16},
            "postgresql": {"space_id": 1, "uids": [b"u" * 16]},
        },
        dict.fromkeys(("sqlite", "postgresql"), "uq_event_origins_uid"),
    ),
    "where the log of a replica is": (
        append_sqlite.take_replica,
        dict.fromkeys(append_sqlite.REPLICA_PARAMETERS, 1) | {"token": b"", "replica_head": b""},
        {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "space_sequences_pkey"},
    ),
    "cursors of layers": (
        layer_cursors._list,
        {"space_id": 1},
        {
            "sqlite": "SEARCH layer_cursors USING INDEX sqlite_autoindex_layer_cursors_1",
            "postgresql": "layer_cursors_pkey",
        },
    ),
    "what is kept aside": (
        quarantine._list,
        {"space_id": 1},
        {"sqlite": "sqlite_autoindex_quarantine_1", "postgresql": "quarantine_pkey"},
    ),
    "how far copies of vectors are": (
        vector_rows._place,
        {"space_id": 1, "collection": "c"},
        {"sqlite": "sqlite_autoindex_vector_copies_1", "postgresql": "vector_copies_pkey"},
    ),
    "whether a record was discarded": (
        quarantine._discarded,
        {"space_id": 1, "entity_id": "ramax.replica:00"},
        {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"},
    ),
    "a value": (
        reads._value,
        {"space_id": 1, "key": "e7"},
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "values of a list of keys": (
        {"sqlite": reads._values_listed, "postgresql": reads._values_of_space},
        {
            "sqlite": {"space_id": 1, "keys": '["e1", "e7", "no"]'},
            "postgresql": {"space_id": 1, "keys": ["e1", "e7", "no"]},
        },
        {
            "sqlite": "SEARCH pstate_entities USING INDEX sqlite_autoindex_pstate_entities_1 "
            "(space_id=? AND key=?)",
            "postgresql": "pstate_entities_pkey",
        },
    ),
    "a scan of a prefix": (
        pstate._scan,
        {"space_id": 1, "low": "e", "high": "f", "after": "e1", "limit": 100},
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "who refers to a key": (
        links._referrers,
        {"space_id": 1, "target": "e7", "low": "", "high": "f", "after": "", "limit": 100},
        {"sqlite": "USING PRIMARY KEY", "postgresql": "pstate_refs_pkey"},
    ),
    "what a key refers to": (
        links._forget,
        {"space_id": 1, "source": "e7"},
        {
            "sqlite": "ix_pstate_refs_space_source",
            "postgresql": "ix_pstate_refs_space_source",
        },
    ),
    "what a range of keys refers to": (
        links._between,
        {"space_id": 1, "after": "e1", "upto": "e2"},
        {
            "sqlite": "ix_pstate_refs_space_source",
            "postgresql": "ix_pstate_refs_space_source",
        },
    ),
    "writing back over what was read": (
        write_back._replace_exactly,
        {
            "of_space": 1,
            "of_key": "e7",
            "old": b"x",
            "old_format": "msgpack",
            "new": b"y",
            "new_format": "msgpack",
        },
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "a scan of a range, downwards": (
        pstate._scan_down,
        {"space_id": 1, "low": "e", "high": "f", "limit": 100},
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "a range of values": (
        reads._values_in_range,
        {"space_id": 1, "low": "e1", "high": "e2"},
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "the lowest key of a range": (
        reads.lowest_key,
        {"space_id": 1, "low": "e1", "high": "e2"},
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "the highest key of a range": (
        reads.highest_key,
        {"space_id": 1, "low": "e1", "high": "e2"},
        {"sqlite": "sqlite_autoindex_pstate_entities_1", "postgresql": "pstate_entities_pkey"},
    ),
    "a guard": (
        reads._guard,
        {"space_id": 1},
        {
            "sqlite": "SEARCH space_sequences USING INTEGER PRIMARY KEY",
            "postgresql": "space_sequences_pkey",
        },
    ),
}


BOUNDS = {"after": 5, "upto": 10**6, "since": 0, "until": 10**18, "limit": 100}
LOG = {"sqlite": "sqlite_autoindex_events_1", "postgresql": "pk_events"}
BY_ENTITY = {"sqlite": "ix_events_space_entity", "postgresql": "ix_events_space_entity"}
BY_TAG = {"sqlite": "event_tags", "postgresql": "event_tags_pkey"}


def searches(dialect: str) -> dict[str, tuple[Any, Any, dict[str, str]]]:
    """Every search, along the index that its most selective condition has."""
    many = ["a", "b"] if dialect == "postgresql" else '["a", "b"]'
    values = {
        "space_id": 1, "types": many, "entity_id": "e7", "tag": "a", "tags": many, "tag_count": 2,
        "causation_id": 7, "correlation_id": "c",
    }  # fmt: skip
    found = {}
    for shape in search.SHAPES:
        index = BY_TAG if shape.tags else BY_ENTITY if shape.entity else LOG
        params = values | BOUNDS
        found[f"newest {shape}"] = (search.NEWEST[shape], params, index)
        for back in (False, True):
            found[f"page {shape} {back}"] = (search.PAGES[shape, back], params, index)
    for shape in search.ORIGINS:
        name = f"ix_events_space_{shape.origin.removesuffix('_id')}"
        params = values | BOUNDS
        for back in (False, True):
            statement = search.PAGES[shape, back]
            found[f"page {shape} {back}"] = (statement, params, dict.fromkeys(LOG, name))
    return found


def add(state, params):
    return [NewEvent("t", {}, entity_id=f"e{n}", tags=["a", f"t{n}"]) for n in range(params)]


AMONG_REPLICAS = (
    runs.runs_over,
    runs.late_over,
    runs.runs_of_origin,
    runs.newest_runs,
    canonical.entity_events,
    records.events_in,
    records.types_in,
    records._runs_of_ids,
    records._given_uids,
    records._ids_at,
)


async def check_plans(connection: AsyncConnection) -> None:
    """See that each hot statement takes its index, all of its own accord."""
    dialect = connection.dialect.name
    for what, (statement, params, indexes) in (HOT | searches(dialect)).items():
        if isinstance(statement, dict):
            statement, params = statement[dialect], params[dialect]
        plan = await plan_of(connection, statement, params)
        assert indexes[dialect] in plan, f"{what}:\n{plan}"
        assert "SCAN events" not in plan, f"{what}:\n{plan}"
        assert not WASTE.search(plan), f"{what}:\n{plan}"
        assert not SORTING.search(plan) or what in SORTED, f"{what}:\n{plan}"


async def plan_of(connection: AsyncConnection, statement: Any, params: Any) -> str:
    """Explain a statement; on PostgreSQL as it is planned once, for any parameters."""
    sql = statement.on(build_tables(connection.dialect.name))
    if connection.dialect.name == "sqlite":
        explain, arguments = f"EXPLAIN QUERY PLAN {sql.text}", tuple(sql.arguments(params))
        return _text(await connection.exec_driver_sql(explain, arguments))
    await connection.exec_driver_sql(f"PREPARE hot AS {sql.text}")
    nothing = ", ".join(["NULL"] * len(sql.names))
    plan = _text(await connection.exec_driver_sql(f"EXPLAIN EXECUTE hot({nothing})"))
    await connection.exec_driver_sql("DEALLOCATE hot")
    return plan


def _text(rows: Iterable[Sequence[Any]]) -> str:
    return "\n".join(str(row[-1]) for row in rows)


WASTE = re.compile(r"Seq Scan|Join Filter")
"""What shows that rows are read that are not wanted."""

SORTING = re.compile(r"TEMP B-TREE|Sort  ")
"""What shows that they are not read in the order that is."""


async def test_hot_statements_use_their_index(db):
    for name in ("a", "b"):
        await (await db.content_store(name, domain)).execute(add, 300)
    async with db.connection() as connection:
        await set_up(connection)
        await check_plans(connection)


async def set_up(connection: AsyncConnection) -> None:
    """Plan as a session of ramax's own does; a plan is made once, for any values."""
    if connection.dialect.name == "postgresql":
        for name, value in SESSION.items():
            await connection.exec_driver_sql(f"SET {name} = {value}")


@pytest.mark.postgres
async def test_what_postgresql_knows_of_the_tables_changes_no_plan_of_a_hot_statement(
    db_on_postgres,
):
    """Of empty ones, of small ones with statistics, of ones that have grown since, and of these."""
    db = db_on_postgres
    async with db.connection() as connection:
        await set_up(connection)
        for table in build_tables("postgresql").metadata.tables:
            await connection.exec_driver_sql(
                f"ALTER TABLE {table} SET (autovacuum_enabled = false)"
            )
        await connection.commit()
        await check_plans(connection)
        await connection.commit()
        stores = [await db.content_store(name, domain) for name in ("a", "b")]
        for store in stores:
            await store.execute(add, 30)
        await connection.exec_driver_sql("ANALYZE")
        await check_plans(connection)
        await connection.commit()
        for store in stores:
            await store.execute(add, 2000)
        await check_plans(connection)
        await connection.exec_driver_sql("ANALYZE")
        await check_plans(connection)


@pytest.mark.postgres
async def test_events_among_replicas_are_not_compared_row_by_row_before_there_are_statistics(
    db_on_postgres,
):
    """A space is believed to have one row then; a plan that searches by it alone is quadratic."""
    async with db_on_postgres.connection() as connection:
        await set_up(connection)
        for statement in AMONG_REPLICAS:
            plan = await plan_of(connection, statement, {})
            assert not WASTE.search(plan), plan
