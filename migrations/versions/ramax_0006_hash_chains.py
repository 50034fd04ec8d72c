"""Hash chains: a hash for each event of the spaces that ask for it, the newest in the hot row.

Going back forgets the hashes. They can be made again from the events, and come out the same.
"""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0006"
down_revision = "ramax_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger() if op.get_context().dialect.name == "postgresql" else sa.Integer()
    op.add_column("space_sequences", sa.Column("head_hash", sa.LargeBinary()))
    op.create_table(
        "event_hashes",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("event_hashes")
    op.drop_column("space_sequences", "head_hash")
