"""Before spaces: one log and one pstate, as the Elixir Ramax wrote them.

Tables that are there already are adopted when they have a known old form.
"""

import sqlalchemy as sa
from alembic import context, op

from ramax.errors import ForeignSchemaError, StorageError
from ramax.storage.before_spaces import before_spaces, creation
from ramax.storage.forms import FORMS, describe_legacy, read_shapes

revision = "ramax_0001"
down_revision = None
branch_labels = ("ramax",)
depends_on = None

LATER_TABLES = ("idempotency_keys",)


def upgrade() -> None:
    present = set() if context.is_offline_mode() else adopted(op.get_bind())
    for table in before_spaces(op.get_context().dialect.name):
        if table.name not in present:
            for statement in creation(table):
                op.execute(statement)


def downgrade() -> None:
    for table in before_spaces(op.get_context().dialect.name):
        if not context.is_offline_mode():
            count = op.get_bind().scalar(sa.select(sa.func.count()).select_from(table))
            if count:
                raise StorageError(f"{table.name} holds {count} rows, which this would delete")
        op.drop_table(table.name)


def adopted(connection: sa.Connection) -> set[str]:
    """Return the tables that are there, all of known form."""
    shapes = read_shapes(connection, {*FORMS, *LATER_TABLES})
    legacy = describe_legacy(shapes)
    if legacy.reason:
        raise ForeignSchemaError(legacy.tables, legacy.reason)
    return set(shapes)
