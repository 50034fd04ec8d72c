"""Spaces remember what they took over from others, and up to where they know them."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0014"
down_revision = "ramax_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()

    def key(name: str) -> sa.Column[int]:
        return sa.Column(name, big, primary_key=True, autoincrement=False)

    op.create_table(
        "merges",
        key("space_id"),
        key("space_sequence"),
        key("origin_space_id"),
        sa.Column("origin_upto", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "merged_events",
        key("space_id"),
        key("space_sequence"),
        key("origin_space_id"),
        key("origin_sequence"),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_merged_events_origin",
        "merged_events",
        ["space_id", "origin_space_id", "origin_sequence"],
    )


def downgrade() -> None:
    # events that were copied stay; merging again afterwards would copy them again
    op.drop_table("merged_events")
    op.drop_table("merges")
