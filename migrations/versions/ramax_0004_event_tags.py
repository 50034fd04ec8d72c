"""Events have tags: a list of them with the event, and a table that finds events by tag."""

import sqlalchemy as sa
from alembic import context, op

from ramax.errors import StorageError

revision = "ramax_0004"
down_revision = "ramax_0003"
branch_labels = None
depends_on = None

TAGGED = "SELECT count(*) FROM events WHERE tags IS NOT NULL"


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    op.add_column("events", sa.Column("tags", sa.LargeBinary()))
    op.create_table(
        "event_tags",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("tag", sa.Text(collation="C") if postgres else sa.Text(), primary_key=True),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    if not context.is_offline_mode() and (count := op.get_bind().scalar(sa.text(TAGGED))):
        raise StorageError(f"cannot go back to ramax_0003: {count} events have tags")
    op.drop_table("event_tags")
    op.drop_column("events", "tags")
