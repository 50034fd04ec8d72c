"""The tables from before spaces, as ramax_0001 makes them (frozen: they are history)."""

from collections.abc import Iterator

import sqlalchemy as sa

from ramax.storage.tables import DialectName


def before_spaces(dialect: DialectName) -> tuple[sa.Table, sa.Table]:
    """Build `events` and `pstate_entities`: ids and times are integers, ms and s since 1970."""
    metadata = sa.MetaData()
    postgres = dialect == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    seconds = sa.text(
        "(extract(epoch FROM now())::bigint)" if postgres else "(strftime('%s', 'now'))"
    )
    known = sa.text("correlation_id IS NOT NULL")
    events = sa.Table(
        "events",
        metadata,
        sa.Column("event_id", big, *([sa.Identity()] if postgres else []), primary_key=True),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp", big, nullable=False),  # ms
        sa.Column("causation_id", big),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("created_at", big, server_default=seconds),  # s
        sa.Index("idx_events_entity_id_event_id", "entity_id", "event_id"),
        sa.Index("idx_events_event_type", "event_type"),
        sa.Index(
            "idx_events_correlation_id",
            "correlation_id",
            sqlite_where=known,
            postgresql_where=known,
        ),
        sqlite_autoincrement=True,
    )
    pstate = sa.Table(
        "pstate_entities",
        metadata,
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", big, server_default=seconds),  # s
        sa.Index("idx_updated_at", "updated_at"),
    )
    return events, pstate


def creation(table: sa.Table) -> Iterator[sa.schema.ExecutableDDLElement]:
    """Yield the DDL that creates a table and its indexes; for ``op.execute``, offline too."""
    yield sa.schema.CreateTable(table)
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield sa.schema.CreateIndex(index)
