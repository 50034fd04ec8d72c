"""Replicas: the id that all copies of a space share, this copy's origin and its clock."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0010"
down_revision = "ramax_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger() if op.get_context().dialect.name == "postgresql" else sa.Integer()
    blob = sa.LargeBinary()
    op.create_table(
        "replicas",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("space_uid", blob, nullable=False),
        sa.Column("origin", blob, nullable=False),
        sa.Column("last_stamp", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("replicas")
