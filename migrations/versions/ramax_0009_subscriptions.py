"""Subscriptions: who owns each, until when, whether it is paused; and the events they parked."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0009"
down_revision = "ramax_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    key_text = sa.Text(collation="C") if postgres else sa.Text()
    big = sa.BigInteger() if postgres else sa.Integer()
    hot = {"postgresql_with": {"fillfactor": 50}} if postgres else {}

    def key(name: str, kind: sa.types.TypeEngine[object]) -> sa.Column[object]:
        return sa.Column(name, kind, primary_key=True, autoincrement=False)

    op.create_table(
        "event_subscriptions",
        key("space_id", big),
        key("name", key_text),
        key("partition", big),
        sa.Column("partitions", big, nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("lease_until", big, nullable=False, server_default="0"),
        sa.Column("paused_at", big),
        sa.Column("stopped_at", big),
        sa.Column("reason", sa.Text()),
        **hot,
    )
    op.create_table(
        "parked_events",
        key("space_id", big),
        key("subscription", key_text),
        key("over_all", sa.SmallInteger()),
        key("space_sequence", big),
        sa.Column("entity_id", key_text, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", big, nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("parked_at", big, nullable=False),
    )


def downgrade() -> None:
    # checkpoints of readers over all spaces belong to no space, which nobody below knows
    op.execute("DELETE FROM projection_checkpoints WHERE space_id = 0")
    op.drop_table("parked_events")
    op.drop_table("event_subscriptions")
