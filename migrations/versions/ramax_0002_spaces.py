"""Spaces: each with its own sequence, events, pstate and checkpoints.

Tables from before spaces, and those of an Elixir database of any age, are carried over: their rows
go to the space that they name, else to the one given by `-x space=NAME` (`default`).
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError

from ramax.storage.before_spaces import before_spaces, creation
from ramax.storage.carry_back import carry_back, refuse_losses
from ramax.storage.carry_over import carry_over
from ramax.storage.forms import FORMS, describe_legacy, read_shapes
from ramax.storage.old_tables import ASIDE, set_aside

revision = "ramax_0002"
down_revision = "ramax_0001"
branch_labels = None
depends_on = None

BEFORE = ("events", "pstate_entities")
TABLES = ("space_sequences", "spaces", *BEFORE, "projection_checkpoints", "idempotency_keys")


def upgrade() -> None:
    if context.is_offline_mode():
        upgrade_empty_tables()
        return
    connection = op.get_bind()
    forms = describe_legacy(read_shapes(connection, FORMS)).forms
    put_aside(forms)
    create_tables()
    attributes = op.get_context().config.attributes if op.get_context().config else {}
    options = context.get_x_argument(as_dictionary=True)
    space_name = attributes.get("space") or options.get("space") or "default"
    carry_over(connection, forms, space_name, attributes.get("progress"))
    drop_aside(forms)


def downgrade() -> None:
    if context.is_offline_mode():
        raise CommandError("ramax_0002 moves rows: go back from it on a connection, without --sql")
    refuse_losses(op.get_bind())
    put_aside(TABLES)
    for table in before_spaces(dialect()):
        for statement in creation(table):
            op.execute(statement)
    carry_back(op.get_bind())
    drop_aside(TABLES)
    if dialect() == "postgresql":
        op.execute("DROP SEQUENCE event_id_seq")


def upgrade_empty_tables() -> None:
    """Write a script for a new database: one that fails, changing nothing, where rows are."""
    if dialect() == "sqlite":
        raise CommandError("ramax_0002 moves rows: run it on a connection, without --sql")
    for name in BEFORE:
        op.execute(
            f"DO $$ BEGIN IF EXISTS (SELECT FROM {name}) THEN RAISE EXCEPTION "
            f"'{name} has rows: run ramax_0002 on a connection, without --sql'; END IF; END $$"
        )
    put_aside(BEFORE)
    create_tables()
    drop_aside(BEFORE)


def dialect() -> str:
    return op.get_context().dialect.name


def put_aside(names: Iterable[str]) -> None:
    if dialect() == "sqlite":
        # else SQLite would rewrite the application's views so that they follow the old table
        op.execute("PRAGMA legacy_alter_table = ON")
    for name in names:
        for statement in set_aside(name, dialect()):
            op.execute(statement)
    if dialect() == "sqlite":
        op.execute("PRAGMA legacy_alter_table = OFF")


def drop_aside(names: Iterable[str]) -> None:
    for name in names:
        op.drop_table(f"{ASIDE}{name}")


def create_tables() -> None:
    """Create the tables as this revision means them; later revisions change them further."""
    postgres = op.get_context().dialect.name == "postgresql"
    key_text = sa.Text(collation="C") if postgres else sa.Text()
    big = sa.BigInteger() if postgres else sa.Integer()
    blob = sa.LargeBinary()
    hot = {"postgresql_with": {"fillfactor": 50}} if postgres else {}

    def space_id(*references: sa.ForeignKey) -> sa.Column[int]:
        return sa.Column("space_id", big, *references, primary_key=True, autoincrement=False)

    op.create_table(
        "spaces",
        sa.Column("space_id", big, *([sa.Identity()] if postgres else []), primary_key=True),
        sa.Column("space_name", key_text, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("metadata", blob),
        sa.Column("domains", blob),
        sa.UniqueConstraint("space_name", name="uq_spaces_space_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "space_sequences",
        space_id(sa.ForeignKey("spaces.space_id")),
        sa.Column("last_sequence", big, nullable=False, server_default="0"),
        sa.Column("state_version", big, nullable=False, server_default="0"),
        sa.Column("last_timestamp", big, nullable=False, server_default="0"),
        sa.Column("writer_token", blob),
        **hot,
    )
    create_events(postgres=postgres)
    op.create_table(
        "pstate_entities",
        space_id(),
        sa.Column("key", key_text, primary_key=True),
        sa.Column("value", blob, nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("updated_at", big),
        sa.Column("direct", sa.SmallInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "projection_checkpoints",
        space_id(),
        sa.Column("name", key_text, primary_key=True),
        sa.Column("last_event_id", big, nullable=False),
        sa.Column("last_space_sequence", big, nullable=False),
        sa.Column("updated_at", big),
        **hot,
    )
    op.create_table(
        "idempotency_keys",
        space_id(),
        sa.Column("key", key_text, primary_key=True),
        sa.Column("fingerprint", blob, nullable=False),
        sa.Column("first_sequence", big, nullable=False),
        sa.Column("count", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
    )


def create_events(*, postgres: bool) -> None:
    big = sa.BigInteger() if postgres else sa.Integer()
    key_text = sa.Text(collation="C") if postgres else sa.Text()
    if postgres:
        # begins at 0, which is drawn at once: see docs/adr/0022
        op.execute("CREATE SEQUENCE event_id_seq START WITH 0 MINVALUE 0 CACHE 1")
        op.execute("SELECT nextval('event_id_seq')")
        next_id = sa.text("nextval('event_id_seq'::regclass)")
        event_id = sa.Column("event_id", big, server_default=next_id, nullable=False)
        key = sa.PrimaryKeyConstraint("space_id", "space_sequence", name="pk_events")
    else:
        event_id = sa.Column("event_id", big, primary_key=True, autoincrement=True)
        key = sa.UniqueConstraint("space_id", "space_sequence", name="uq_events_space_sequence")
    op.create_table(
        "events",
        event_id,
        sa.Column("space_id", big, nullable=False),
        sa.Column("space_sequence", big, nullable=False),
        sa.Column("entity_id", key_text, nullable=False),
        sa.Column("event_type", key_text, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("timestamp", big, nullable=False),
        sa.Column("causation_id", big),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("metadata", sa.LargeBinary()),
        sa.Column("created_at", big),
        key,
        sqlite_autoincrement=True,
    )
    if postgres:
        op.create_index("uq_events_event_id", "events", ["event_id"], unique=True)
    op.create_index("ix_events_space_entity", "events", ["space_id", "entity_id", "space_sequence"])
