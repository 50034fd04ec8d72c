"""Indexes that find events by their cause and by their correlation, over those that have one."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0005"
down_revision = "ramax_0004"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_events_space_causation": "causation_id",
    "ix_events_space_correlation": "correlation_id",
}


def upgrade() -> None:
    for name, column in INDEXES.items():
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            name,
            "events",
            ["space_id", column, "space_sequence"],
            postgresql_where=given,
            sqlite_where=given,
        )


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "events")
