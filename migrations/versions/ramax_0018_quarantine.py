"""A space keeps aside the records of other replicas that it does not take."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0018"
down_revision = "ramax_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    op.create_table(
        "quarantine",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.LargeBinary(), primary_key=True),
        sa.Column("origin_seq", big, primary_key=True, autoincrement=False),
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("refused_at", big, nullable=False),
    )


def downgrade() -> None:
    # the vector does not know these records, so whoever sent them sends them again
    op.drop_table("quarantine")
