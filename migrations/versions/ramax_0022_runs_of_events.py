"""One row says where a run of events comes from, and not one row for each."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from ramax.errors import StorageError

revision = "ramax_0022"
down_revision = "ramax_0021"
branch_labels = None
depends_on = None

ALONE, TIMED = 0, 2
GIVEN = sa.text("uid IS NOT NULL")
REFUSED = "ramax.replica.refused"
KEPT = "space_id, space_sequence, uid, origin, origin_seq, stamp, late, causation"
PAGE = 1000

TYPE = (
    "(SELECT event_type FROM events"
    " WHERE space_id = {0}.space_id AND space_sequence = {0}.space_sequence)"
)
ASCENDING = f"""
    UPDATE event_origins SET stamp = coalesce((
        SELECT max(before.stamp) FROM event_origins AS before
        WHERE before.space_id = event_origins.space_id
            AND before.origin = event_origins.origin
            AND before.origin_seq < event_origins.origin_seq
            AND {TYPE.format("before")} <> '{REFUSED}'
    ), 0)
    WHERE {TYPE.format("event_origins")} = '{REFUSED}'
"""  # noqa: S608 - constants of ours
"""A refused record may have any stamp; what is stored of it ascends with those of its origin."""


def upgrade() -> None:
    # rows of spaces that only began to be replicated: they begin again
    op.execute(
        "DELETE FROM event_origins WHERE space_id NOT IN"
        " (SELECT space_id FROM space_sequences WHERE replica_head IS NOT NULL)"
    )
    for name in ("order", "uid"):
        op.drop_index(f"uq_event_origins_{name}", "event_origins")
    op.execute(ASCENDING)
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("event_origins", "uid", nullable=True)
        rule = sa.Column("rule", sa.SmallInteger(), server_default="0", nullable=False)
        op.add_column("event_origins", rule)
        op.alter_column("event_origins", "rule", server_default=None)
    else:
        create_anew(sa.Column("uid", sa.LargeBinary()), rule=True)
    op.create_index(
        "uq_event_origins_uid",
        "event_origins",
        ["space_id", "uid"],
        unique=True,
        postgresql_where=GIVEN,
        sqlite_where=GIVEN,
    )


def downgrade() -> None:
    if context.is_offline_mode():
        raise StorageError(
            f"going back to {down_revision} gives every event a row, which has to be worked out: "
            "it needs the database"
        )
    op.drop_index("uq_event_origins_uid", "event_origins")
    connection = op.get_bind()
    runs = connection.execute(
        sa.text(f"SELECT {KEPT}, rule FROM event_origins ORDER BY space_id, space_sequence")  # noqa: S608 - a constant of ours
    ).all()
    for at, run in enumerate(runs):
        following = runs[at + 1] if at + 1 < len(runs) else None
        same = following is not None and following.space_id == run.space_id
        end = following.space_sequence if following is not None and same else 1 << 62
        expand(connection, run, end)
    postgres = op.get_context().dialect.name == "postgresql"
    if postgres:
        op.drop_column("event_origins", "rule")
        op.alter_column("event_origins", "uid", nullable=False)
    else:
        create_anew(sa.Column("uid", sa.LargeBinary(), nullable=False), rule=False)
    for name, columns in (
        ("uid", ["space_id", "uid"]),
        ("order", ["space_id", "stamp", "origin", "origin_seq"]),
    ):
        op.create_index(f"uq_event_origins_{name}", "event_origins", columns, unique=True)
    op.execute("UPDATE space_sequences SET replica_head = substr(replica_head, 1, 32)")


def expand(connection: sa.Connection, run: sa.Row[Any], end: int) -> None:
    """Give every event of a run its row, and the first one its uid."""
    if run.uid is None:
        connection.execute(
            sa.text(
                "UPDATE event_origins SET uid = :uid"
                " WHERE space_id = :space_id AND space_sequence = :sequence"
            ),
            {
                "uid": uid_of(run, 0),
                "space_id": run.space_id,
                "sequence": run.space_sequence,
            },
        )
    if run.rule == ALONE:
        return
    insert = sa.text(
        f"INSERT INTO event_origins ({KEPT}, rule) VALUES (:space_id, :space_sequence, :uid,"  # noqa: S608 - a constant of ours
        " :origin, :origin_seq, :stamp, :late, NULL, 0)"
    )
    for page in events_after(connection, run, end):
        connection.execute(insert, [row_of(run, *event) for event in page])


def events_after(
    connection: sa.Connection, run: sa.Row[Any], end: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield sequences and times of the events of a run but for the first, in pages."""
    after = run.space_sequence
    while True:
        found = connection.execute(
            sa.text(
                "SELECT space_sequence, timestamp FROM events WHERE space_id = :space_id"
                " AND space_sequence > :after AND space_sequence < :end"
                " ORDER BY space_sequence LIMIT :page"
            ),
            {"space_id": run.space_id, "after": after, "end": end, "page": PAGE},
        ).all()
        if not found:
            return
        yield [(sequence, micros) for sequence, micros in found]
        after = found[-1][0]


def row_of(run: sa.Row[Any], sequence: int, micros: int) -> dict[str, Any]:
    """Work out what a run says of one of its events."""
    step = sequence - run.space_sequence
    stamp = run.stamp + step
    if run.rule == TIMED:
        stamp = micros // 1000 << 16 | stamp & 0xFFFF
    return {
        "space_id": run.space_id,
        "space_sequence": sequence,
        "uid": uid_of(run, step),
        "origin": run.origin,
        "origin_seq": run.origin_seq + step,
        "stamp": stamp,
        "late": run.late,
    }


def uid_of(run: sa.Row[Any], step: int) -> bytes:
    """Return the uid that follows from an origin and a number in it."""
    return (int.from_bytes(run.origin) ^ (run.origin_seq + step)).to_bytes(16)


def create_anew(uid: sa.Column[bytes], *, rule: bool) -> None:
    """SQLite cannot change whether a column may be NULL: copy the rows into another table."""
    op.drop_index("uq_event_origins_place", "event_origins")
    op.rename_table("event_origins", "event_origins_before")
    big, blob = sa.Integer(), sa.LargeBinary()
    op.create_table(
        "event_origins",
        sa.Column("space_id", big, primary_key=True, autoincrement=False),
        sa.Column("space_sequence", big, primary_key=True, autoincrement=False),
        uid,
        sa.Column("origin", blob, nullable=False),
        sa.Column("origin_seq", big, nullable=False),
        sa.Column("stamp", big, nullable=False),
        sa.Column("late", sa.SmallInteger(), nullable=False),
        sa.Column("causation", blob),
        *([sa.Column("rule", sa.SmallInteger(), nullable=False)] if rule else []),
        sqlite_with_rowid=False,
    )
    new, old = (f"{KEPT}, rule", f"{KEPT}, 0") if rule else (KEPT, KEPT)
    op.execute(f"INSERT INTO event_origins ({new}) SELECT {old} FROM event_origins_before")  # noqa: S608 - constants of ours
    op.drop_table("event_origins_before")
    op.create_index(
        "uq_event_origins_place", "event_origins", ["space_id", "origin", "origin_seq"], unique=True
    )
