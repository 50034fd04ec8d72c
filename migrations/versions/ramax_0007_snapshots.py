"""Snapshots of the pstate at sequences of the past.

Going back drops them: they can be made again from the events.
"""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0007"
down_revision = "ramax_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger() if op.get_context().dialect.name == "postgresql" else sa.Integer()
    op.create_table(
        "pstate_snapshots",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("fold", sa.Text(), nullable=False),
        sa.Column("domains", sa.LargeBinary(), nullable=False),
        sa.Column("latest", big, nullable=False),
        sa.Column("key_count", big, nullable=False),
        sa.Column("chunk_count", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
    )
    op.create_table(
        "pstate_snapshot_chunks",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("fold", sa.Text(), primary_key=True),
        sa.Column("chunk", big, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("pstate_snapshot_chunks")
    op.drop_table("pstate_snapshots")
