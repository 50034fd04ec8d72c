"""Branches: sets of spaces, of which some go on from where a space of another branch was."""

import sqlalchemy as sa
from alembic import context, op

from ramax.errors import StorageError

revision = "ramax_0015"
down_revision = "ramax_0014"
branch_labels = None
depends_on = None

PUT = sa.text("direct = 1")
FORKED = sa.text("parent_space_id IS NOT NULL")


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    big = sa.BigInteger() if postgres else sa.Integer()
    key = sa.Text(collation="C") if postgres else sa.Text()
    op.create_table(
        "branches",
        sa.Column(
            "branch_id", big, *([sa.Identity(start=2)] if postgres else []), primary_key=True
        ),
        sa.Column("branch_name", key, nullable=False),
        sa.Column("parent_branch_id", big),
        sa.Column("created_at", big, nullable=False),
        sa.UniqueConstraint("branch_name", name="uq_branches_branch_name"),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO branches (branch_id, branch_name, created_at) VALUES (1, 'main', 0)")
    new = [
        sa.Column("branch_id", big, nullable=False, server_default="1"),
        sa.Column("parent_space_id", big),
        sa.Column("base_sequence", big, nullable=False, server_default="0"),
    ]
    if postgres:
        for column in new:
            op.add_column("spaces", column)
        op.drop_constraint("uq_spaces_space_name", "spaces")
        op.create_unique_constraint("uq_spaces_branch_name", "spaces", ["branch_id", "space_name"])
    else:
        create_spaces_anew(new, "uq_spaces_branch_name", ["branch_id", "space_name"])
    op.create_index(
        "ix_spaces_parent",
        "spaces",
        ["parent_space_id"],
        postgresql_where=FORKED,
        sqlite_where=FORKED,
    )
    op.create_index(
        "ix_pstate_direct",
        "pstate_entities",
        ["space_id"],
        postgresql_where=PUT,
        sqlite_where=PUT,
    )


def downgrade() -> None:
    if not context.is_offline_mode():
        refuse_losses()
    op.drop_index("ix_pstate_direct", "pstate_entities")
    op.drop_index("ix_spaces_parent", "spaces")
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("uq_spaces_branch_name", "spaces")
        op.create_unique_constraint("uq_spaces_space_name", "spaces", ["space_name"])
        for name in ("base_sequence", "parent_space_id", "branch_id"):
            op.drop_column("spaces", name)
    else:
        create_spaces_anew([], "uq_spaces_space_name", ["space_name"])
    op.drop_table("branches")


def refuse_losses() -> None:
    """Nobody below knows branches: what is on them is to be deleted by whoever goes back."""
    rows = op.get_bind().execute(
        sa.text("SELECT branch_name FROM branches WHERE branch_id <> 1 ORDER BY branch_id")
    )
    names = [name for (name,) in rows]
    if names:
        raise StorageError(
            f"cannot go back to {down_revision}: it has no room for branches; merge what is worth "
            f"keeping and delete them first: {', '.join(names)}"
        )


def create_spaces_anew(new: list[sa.Column[object]], unique: str, columns: list[str]) -> None:
    """SQLite cannot change what is unique: copy the rows into a table that is as it should be."""
    highest = "SELECT seq FROM sqlite_sequence WHERE name = 'spaces'"
    seq = op.get_bind().scalar(sa.text(highest))
    # else SQLite would have what refers to the old table follow it
    op.execute("PRAGMA legacy_alter_table = ON")
    op.execute("ALTER TABLE spaces RENAME TO spaces_before")
    op.execute("PRAGMA legacy_alter_table = OFF")
    op.create_table(
        "spaces",
        sa.Column("space_id", sa.Integer(), primary_key=True),
        sa.Column("space_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.LargeBinary()),
        sa.Column("domains", sa.LargeBinary()),
        sa.Column("indexed", sa.Text()),
        sa.Column("searched", sa.Text()),
        *new,
        sa.UniqueConstraint(*columns, name=unique),
        sqlite_autoincrement=True,
    )
    kept = "space_id, space_name, created_at, metadata, domains, indexed, searched"
    op.execute(f"INSERT INTO spaces ({kept}) SELECT {kept} FROM spaces_before")  # noqa: S608 - a constant of ours
    op.execute("DROP TABLE spaces_before")
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'spaces'")
    if seq:  # ids of deleted spaces are never used again
        op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('spaces', {int(seq)})")  # noqa: S608 - a number
