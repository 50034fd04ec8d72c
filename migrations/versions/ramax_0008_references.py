"""References between keys have an index, in the spaces where somebody asks who refers to a key."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0008"
down_revision = "ramax_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.add_column("spaces", sa.Column("indexed", sa.Text()))
    op.create_table(
        "pstate_refs",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("target", key, primary_key=True),
        sa.Column("source", key, primary_key=True),
        sa.Column("field", key, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_pstate_refs_space_source", "pstate_refs", ["space_id", "source"])


def downgrade() -> None:
    # nothing is lost: it is made again from the values when it is asked for
    op.drop_table("pstate_refs")
    op.drop_column("spaces", "indexed")
