"""Hot statements take rows as tuples: the order must be the compiled statement's own."""

import pytest

from ramax.storage import append_sqlite, checkpoints, pstate, reads
from ramax.storage.sql import Statement
from ramax.storage.tables import build_tables

ORDERS = {
    "take_guard": (append_sqlite.take_guard, append_sqlite.GUARD_PARAMETERS),
    "take_replica": (append_sqlite.take_replica, append_sqlite.REPLICA_PARAMETERS),
    "insert_event": (append_sqlite.insert_event, append_sqlite.EVENT_PARAMETERS),
    "upsert_value": (
        pstate.upsert_value,
        ("space_id", "key", "value", "format", "now", "direct"),
    ),
    "upsert_checkpoint": (
        checkpoints.upsert_checkpoint,
        ("space_id", "name", "event_id", "sequence", "now"),
    ),
    "delete_value": (pstate.delete_value, ("space_id", "key")),
    "value": (reads._value, ("space_id", "key")),
}


BULKS = {
    "insert_event": append_sqlite.insert_events,
    "upsert_value": pstate.upsert_values,
}


@pytest.mark.parametrize("name", BULKS)
def test_rows_in_a_row_are_in_the_order_of_the_statement_for_several(name):
    _, order = ORDERS[name]
    names = BULKS[name].on(build_tables("sqlite")).names
    assert names == tuple(f"{name}_{i}" for i in range(pstate.BULK) for name in order)
    assert len(names) < 999


@pytest.mark.parametrize(
    ("statement", "order"),
    [
        (append_sqlite.insert_alike, append_sqlite.ALIKE_PARAMETERS),
        (
            append_sqlite.insert_alike_but_metadata,
            append_sqlite.ALIKE_BUT_METADATA_PARAMETERS,
        ),
        (pstate.upsert_alike, pstate.ALIKE_PARAMETERS),
    ],
)
def test_what_rows_share_comes_after_them(statement, order):
    assert statement.on(build_tables("sqlite")).names == order
    assert len(order) < 999


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_tuple_is_in_the_order_of_the_statement(name, dialect):
    statement, order = ORDERS[name]
    assert isinstance(statement, Statement)
    assert statement.on(build_tables(dialect)).names == order
