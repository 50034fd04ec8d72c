"""A space remembers how far each of its layers is."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0017"
down_revision = "ramax_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.create_table(
        "layer_cursors",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("layer_id", key, primary_key=True),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.LargeBinary()),
        sa.Column("heard_at", big),
        sa.Column("failed_at", big),
        sa.Column("error", sa.Text()),
        sa.Column("refused", big, nullable=False),
    )


def downgrade() -> None:
    # a layer says itself where it is when it is opened
    op.drop_table("layer_cursors")
