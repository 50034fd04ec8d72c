"""Texts may be indexed after the commit, and the newest of a space are found first."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0020"
down_revision = "ramax_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.create_table(
        "search_waiting",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("key", key, primary_key=True),
        sqlite_with_rowid=False,
    )
    if postgres:
        op.create_index(
            "ix_search_documents_newest", "search_documents", ["space_id", "document_id"]
        )


def downgrade() -> None:
    # an index that is behind cannot say so any more: it is given up, and made again when asked for
    connection = op.get_bind()
    behind = connection.execute(sa.text("SELECT DISTINCT space_id FROM search_waiting"))
    for (space_id,) in behind.all():
        of_space = {"space_id": space_id}
        give_up = "UPDATE spaces SET searched = NULL WHERE space_id = :space_id"
        connection.execute(sa.text(give_up), of_space)
        forget = "DELETE FROM search_documents WHERE space_id = :space_id"
        connection.execute(sa.text(forget), of_space)
        if connection.dialect.name == "sqlite":
            op.execute(f"DROP TABLE IF EXISTS ramax_search_{space_id}")
    op.drop_table("search_waiting")
    if connection.dialect.name == "postgresql":
        op.drop_index("ix_search_documents_newest", "search_documents")
