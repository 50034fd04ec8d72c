"""What a database says about its tables, in full: also what Alembic does not compare."""

from typing import Any

import sqlalchemy as sa

from ramax.storage.tables import VERSION_TABLE

_POSTGRES = {
    "tables": """
        SELECT relname, relkind, reloptions, relpersistence FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'S', 'v')""",
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, l.collname, pg_get_expr(d.adbin, d.adrelid), a.attnum
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
          AND a.attnum > 0 AND NOT a.attisdropped""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace""",
    "sequences": """
        SELECT sequencename, data_type::text, start_value, min_value, max_value, increment_by,
               cycle, cache_size, last_value
        FROM pg_sequences WHERE schemaname = current_schema()""",
    "stamp": f"SELECT version_num FROM {VERSION_TABLE}",
}

_SQLITE = {
    "schema": "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'sqlite_sequence'",
    "counters": "SELECT name, seq FROM sqlite_sequence",
    "stamp": f"SELECT version_num FROM {VERSION_TABLE}",
}


def catalog(connection: sa.Connection) -> dict[str, set[tuple[Any, ...]]]:
    """Read every fact, as sets of rows that can be compared."""
    queries = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES
    facts = {}
    for topic, query in queries.items():
        rows = connection.exec_driver_sql(query)
        facts[topic] = {tuple(_plain(value) for value in row) for row in rows}
    return facts


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, bytes):  # PostgreSQL's "char"
        return value.decode()
    return " ".join(value.split()) if isinstance(value, str) else value
