"""Secrets: sealed values of spaces, and the wrapped data keys that seal them.

Going back refuses while there are secrets: they are nowhere else.
"""

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError

revision = "ramax_0011"
down_revision = "ramax_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    key_text = sa.Text(collation="C") if postgres else sa.Text()
    big = sa.BigInteger() if postgres else sa.Integer()
    blob = sa.LargeBinary()
    op.create_table(
        "secret_keys",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("key_id", blob, primary_key=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("wrapped", blob, nullable=False),
        sa.Column("stamp", big, nullable=False),
        sa.Column("origin", blob, nullable=False),
        sa.Column("destroyed", sa.SmallInteger(), nullable=False),
    )
    op.create_table(
        "secrets",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("name", key_text, primary_key=True),
        sa.Column("key_id", blob, nullable=False),
        sa.Column("sealed", blob, nullable=False),
        sa.Column("stamp", big, nullable=False),
        sa.Column("origin", blob, nullable=False),
        sa.Column("deleted", sa.SmallInteger(), nullable=False),
    )


def downgrade() -> None:
    if not context.is_offline_mode():
        count = op.get_bind().scalar(sa.text("SELECT count(*) FROM secrets WHERE deleted = 0"))
        if count:
            raise CommandError(f"{count} secrets would be lost: delete them before going back")
    op.drop_table("secrets")
    op.drop_table("secret_keys")
