"""Every row of every table, to compare a database before and after."""

from typing import Any

import sqlalchemy as sa

import ramax

Dump = dict[str, list[dict[str, Any]]]


async def dump(database: ramax.Database) -> Dump:
    """Read all tables of ramax, each sorted, with every column."""
    tables = database._core.backend.tables
    found: Dump = {}
    async with database.connection() as connection:
        for table in tables.metadata.sorted_tables:
            rows = (await connection.execute(sa.select(table))).mappings().all()
            found[table.name] = sorted(map(dict, rows), key=repr)
    return found


def of_space(rows: Dump, space_id: int) -> Dump:
    """Only the rows of one space; a table without any is absent."""
    kept = {name: [r for r in each if r.get("space_id") == space_id] for name, each in rows.items()}
    return {name: each for name, each in kept.items() if each}


def without_space(rows: Dump, space_id: int) -> Dump:
    """Everything but the rows of one space."""
    return {name: [r for r in each if r.get("space_id") != space_id] for name, each in rows.items()}
