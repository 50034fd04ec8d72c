"""Checkpoints, pauses and parked events know the part of an event that upcasters split.

What was parked before was parked as a whole, which -1 says, and what stopped before stopped at the
whole event, which NULL says. Going back forgets parts: a checkpoint
between two of them is before the event again, and an event is parked once.
"""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0013"
down_revision = "ramax_0012"
branch_labels = None
depends_on = None

_COLUMNS = (
    "space_id, subscription, over_all, space_sequence, entity_id, state, attempts, error, parked_at"
)
_KEY = ["space_id", "subscription", "over_all", "space_sequence"]


def _is_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"


def upgrade() -> None:
    big = sa.BigInteger() if _is_postgres() else sa.Integer()
    op.add_column(
        "projection_checkpoints", sa.Column("parts_done", big, nullable=False, server_default="0")
    )
    op.add_column("event_subscriptions", sa.Column("stopped_part", big))
    if not _is_postgres():
        _remake("-1", "part")
        return
    op.add_column("parked_events", sa.Column("part", big, nullable=False, server_default="-1"))
    op.alter_column("parked_events", "part", server_default=None)
    op.drop_constraint("parked_events_pkey", "parked_events")
    op.create_primary_key("parked_events_pkey", "parked_events", [*_KEY, "part"])


def downgrade() -> None:
    op.drop_column("projection_checkpoints", "parts_done")
    op.drop_column("event_subscriptions", "stopped_part")
    op.execute(
        "DELETE FROM parked_events WHERE EXISTS (SELECT 1 FROM parked_events other"
        " WHERE other.space_id = parked_events.space_id"
        " AND other.subscription = parked_events.subscription"
        " AND other.over_all = parked_events.over_all"
        " AND other.space_sequence = parked_events.space_sequence"
        " AND other.part < parked_events.part)"
    )
    if not _is_postgres():
        _remake()
        return
    op.drop_constraint("parked_events_pkey", "parked_events")
    op.drop_column("parked_events", "part")
    op.create_primary_key("parked_events_pkey", "parked_events", _KEY)


def _remake(value: str | None = None, part: str | None = None) -> None:
    """Make the table anew: SQLite cannot change a primary key."""

    def key(name: str, kind: sa.types.TypeEngine[object]) -> sa.Column[object]:
        return sa.Column(name, kind, primary_key=True, autoincrement=False)

    op.rename_table("parked_events", "parked_events_before")
    op.create_table(
        "parked_events",
        key("space_id", sa.Integer()),
        key("subscription", sa.Text()),
        key("over_all", sa.SmallInteger()),
        key("space_sequence", sa.Integer()),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("parked_at", sa.Integer(), nullable=False),
        *([key(part, sa.Integer())] if part else []),
    )
    into, values = (f"{_COLUMNS}, {part}", f"{_COLUMNS}, {value}") if part else (_COLUMNS, _COLUMNS)
    op.execute(
        f"INSERT INTO parked_events ({into}) SELECT {values} FROM parked_events_before"  # noqa: S608
    )
    op.drop_table("parked_events_before")
