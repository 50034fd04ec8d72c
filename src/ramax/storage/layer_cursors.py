"""How far each layer of a space was when it was last heard, and how that ended."""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.sync.vector import Vector
from ramax.core.sync.wire import pack_vector, unpack_vector
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class LayerCursor(NamedTuple):
    """What is known of a layer without asking it; times are UTC microseconds."""

    layer_id: str
    vector: Vector
    epoch: bytes | None = None
    heard_at: int | None = None
    """When it last answered."""

    failed_at: int | None = None
    """When it last failed; None if it works."""

    error: str | None = None
    refused: int = 0
    """How many records it did not take, for good."""


_COLUMNS = LayerCursor._fields


@Statement
def _list(t: Tables) -> sa.Select[Any]:
    c = t.layer_cursors.c
    return (
        sa.select(*(c[name] for name in _COLUMNS))
        .where(c.space_id == p("space_id"))
        .order_by(c.layer_id)
    )


@Statement
def _put(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    statement = insert(t.layer_cursors).values(
        space_id=p("space_id"), **{name: p(name) for name in _COLUMNS}
    )
    return statement.on_conflict_do_update(
        index_elements=["space_id", "layer_id"],
        set_={name: statement.excluded[name] for name in _COLUMNS if name != "layer_id"},
    )


@Statement
def _forget(t: Tables) -> sa.Delete:
    c = t.layer_cursors.c
    return sa.delete(t.layer_cursors).where(
        c.space_id == p("space_id"), c.layer_id == p("layer_id")
    )


def read_cursors(ex: Executor, space_id: int) -> dict[str, LayerCursor]:
    """Return what is known of the layers of a space, by their ids."""
    found = (LayerCursor(*row) for row in ex.rows(_list, {"space_id": space_id}))
    return {each.layer_id: each._replace(vector=unpack_vector(each.vector)) for each in found}  # type: ignore[arg-type]


def put_cursor(ex: Executor, space_id: int, space_name: str, cursor: LayerCursor) -> None:
    """Remember where a layer is.

    Raises:
        SpaceNotFoundError: The space was deleted.
    """
    take_lock(ex, space_id, space_name)  # or it would be remembered for a space that is gone
    values = cursor._replace(vector=pack_vector(cursor.vector))._asdict()  # type: ignore[arg-type]
    ex.run(_put, {"space_id": space_id, **values})


def forget_cursor(ex: Executor, space_id: int, layer_id: str) -> None:
    """Forget a layer of a space."""
    ex.run(_forget, {"space_id": space_id, "layer_id": layer_id})
