"""A space has copies of its vectors, as pgvector compares them, where that is wanted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "ramax_0021"
down_revision = "ramax_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.create_table(
        "vector_copies",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("collection", key, primary_key=True),
        sa.Column("born", big, nullable=False),
        sa.Column("last", big, nullable=False),
        sa.Column("changes", big, nullable=False),
        sa.Column("plain", sa.SmallInteger(), nullable=False),
    )
    op.create_table(
        "vector_rows",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("collection", key, primary_key=True),
        sa.Column("key", key, primary_key=True),
        sa.Column(
            "numbers",
            postgresql.ARRAY(sa.REAL()) if postgres else sa.LargeBinary(),
            nullable=False,
        ),
    )


def downgrade() -> None:
    # copies, which whoever searches makes again
    op.drop_table("vector_rows")
    op.drop_table("vector_copies")
