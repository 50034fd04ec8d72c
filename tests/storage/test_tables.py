import pytest
import sqlalchemy as sa

from ramax.storage.tables import build_tables

DIALECTS = ("sqlite", "postgresql")
# A key that names no space: the registry's own, and the id of an event, unique over all spaces.
WITHOUT_SPACE = {
    ("branches", ("branch_id",)),
    ("branches", ("branch_name",)),
    ("spaces", ("branch_id", "space_name")),
    ("spaces", ("parent_space_id",)),
    ("events", ("event_id",)),
}


def keys(table: sa.Table) -> set[tuple[str, ...]]:
    constraints = [
        each
        for each in table.constraints
        if isinstance(each, (sa.PrimaryKeyConstraint, sa.UniqueConstraint))
    ]
    return {tuple(c.name for c in each.columns) for each in (*constraints, *table.indexes)}


def test_both_dialects_have_the_same_tables_with_the_same_columns():
    sqlite, postgres = (
        {
            table.name: [(c.name, c.nullable) for c in table.c]
            for table in build_tables(dialect).metadata.sorted_tables
        }
        for dialect in DIALECTS
    )
    assert sqlite == postgres


SEARCH = {
    # what FTS5 knows a text by: its table is the space's own
    "sqlite": {("search_documents", ("document_id",))},
    # GIN cannot lead with a number: every text has a lexeme of its space, and is asked for by it
    "postgresql": {("search_documents", ("tokens",))},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_space_leads_every_key_and_index(dialect):
    tables = build_tables(dialect).metadata.sorted_tables
    found = {(table.name, key) for table in tables for key in keys(table)}
    assert {(name, key) for name, key in found if key[0] != "space_id"} == (
        WITHOUT_SPACE | SEARCH[dialect]
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_table_but_the_registry_is_emptied_with_its_space_the_guard_first(dialect):
    tables = build_tables(dialect)
    owned = tables.owned_by_space
    assert owned[0] is tables.space_sequences
    assert {*owned, tables.spaces, tables.branches} == set(tables.metadata.sorted_tables)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_the_guard_refers_to_the_registry(dialect):
    tables = build_tables(dialect)
    referring = {t.name for t in tables.metadata.sorted_tables if t.foreign_keys}
    assert referring == {"space_sequences"}


def test_tables_are_made_once_and_live_in_the_schema_that_is_named():
    assert build_tables("postgresql", "a") is build_tables("postgresql", "a")
    there = build_tables("postgresql", "a")
    assert {t.schema for t in there.metadata.sorted_tables} == {"a"}
    assert "a.event_id_seq" in str(sa.schema.CreateTable(there.events).compile())
