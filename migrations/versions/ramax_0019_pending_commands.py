"""A space of an authority keeps the commands that are not confirmed yet."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0019"
down_revision = "ramax_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    op.create_table(
        "pending_commands",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("number", big, primary_key=True, autoincrement=False),
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("params", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("needs", sa.LargeBinary()),
        sa.Column("error", sa.Text()),
    )


def downgrade() -> None:
    table = sa.table("pending_commands", sa.column("needs"))
    waiting = sa.select(sa.func.count()).select_from(table).where(table.c.needs.is_(None))
    if count := op.get_bind().execute(waiting).scalar():
        raise RuntimeError(
            f"{count} commands have not reached their authority and would be lost; let them sync"
        )
    op.drop_table("pending_commands")
