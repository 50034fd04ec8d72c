"""Events have a version: the shape that their payload was written in, 1 for all that are there."""

import sqlalchemy as sa
from alembic import context, op

from ramax.errors import StorageError

revision = "ramax_0003"
down_revision = "ramax_0002"
branch_labels = None
depends_on = None

LATER = "SELECT count(*) FROM events WHERE version <> 1"


def upgrade() -> None:
    version = sa.Column("version", sa.SmallInteger(), nullable=False, server_default="1")
    op.add_column("events", version)


def downgrade() -> None:
    if not context.is_offline_mode() and (count := op.get_bind().scalar(sa.text(LATER))):
        raise StorageError(
            f"cannot go back to ramax_0002: {count} events are of a version above 1, which it "
            "would take for version 1"
        )
    op.drop_column("events", "version")
