"""Snapshots of the pstate at places of the order of all replicas, for events that come late.

Going back drops them: they are made again when they are missed.
"""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0023"
down_revision = "ramax_0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.create_table(
        "canonical_snapshots",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("stamp", big, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.LargeBinary(), primary_key=True),
        sa.Column("origin_seq", big, primary_key=True, autoincrement=False),
        sa.Column("chunk", big, primary_key=True, autoincrement=False),
        sa.Column("fold", sa.Text(), nullable=False),
        sa.Column("count", big, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("low", key, nullable=False),
        sa.Column("high", key, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("canonical_snapshots")
