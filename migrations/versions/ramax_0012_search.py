"""The texts of a space have an index, in the spaces that are searched."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "ramax_0012"
down_revision = "ramax_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.add_column("spaces", sa.Column("searched", sa.Text()))
    op.create_table(
        "search_documents",
        sa.Column("document_id", big, sa.Identity(), nullable=False)
        if postgres
        else sa.Column("document_id", big, primary_key=True),
        sa.Column("space_id", big, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tokens", postgresql.TSVECTOR() if postgres else sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "key", name="pk_search_documents")
        if postgres
        else sa.UniqueConstraint("space_id", "key", name="uq_search_documents_space_key"),
    )
    if postgres:
        op.create_index(
            "ix_search_documents_tokens",
            "search_documents",
            ["tokens"],
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        )


def downgrade() -> None:
    # nothing is lost: it is made again from the values when it is asked for
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        tables = "SELECT name FROM sqlite_master WHERE name LIKE :name AND sql LIKE :sql"
        of_tokens = {"name": "ramax\\_search\\_%", "sql": "CREATE VIRTUAL TABLE%"}
        found = connection.execute(sa.text(tables.replace(":name", ":name ESCAPE '\\'")), of_tokens)
        for (name,) in found.all():
            op.execute(f"DROP TABLE {name}")
    op.drop_table("search_documents")
    op.drop_column("spaces", "searched")
