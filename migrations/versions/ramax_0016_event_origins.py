"""Events of replicated spaces have an origin, a place in it, and a stamp."""

import sqlalchemy as sa
from alembic import op

revision = "ramax_0016"
down_revision = "ramax_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    blob = sa.LargeBinary()

    def key(name: str) -> sa.Column[int]:
        return sa.Column(name, big, primary_key=True, autoincrement=False)

    op.add_column("space_sequences", sa.Column("replica_head", blob))
    op.add_column("replicas", sa.Column("epoch", blob))
    op.create_table(
        "event_origins",
        key("space_id"),
        key("space_sequence"),
        sa.Column("uid", blob, nullable=False),
        sa.Column("origin", blob, nullable=False),
        sa.Column("origin_seq", big, nullable=False),
        sa.Column("stamp", big, nullable=False),
        sa.Column("late", sa.SmallInteger(), nullable=False),
        sa.Column("causation", blob),
        sqlite_with_rowid=False,
    )
    for name, columns in (
        ("uq_event_origins_place", ["space_id", "origin", "origin_seq"]),
        ("uq_event_origins_uid", ["space_id", "uid"]),
        ("uq_event_origins_order", ["space_id", "stamp", "origin", "origin_seq"]),
    ):
        op.create_index(name, "event_origins", columns, unique=True)


def downgrade() -> None:
    # the events stay; no replica knows them again
    op.drop_table("event_origins")
    op.drop_column("replicas", "epoch")
    op.drop_column("space_sequences", "replica_head")
