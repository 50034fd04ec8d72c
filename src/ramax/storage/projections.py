"""Statements of projections: confined to one space, compiled once for each shape, grouped.

A shape is a statement without its values. What a handler makes is taken apart by SQLAlchemy's own
cache key, so that a thousand statements of one shape are one call of the driver.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import visitors

from ramax.core.projections import SPACE, Projection, Upsert
from ramax.core.space_write import SpaceWrite
from ramax.errors import MisuseError
from ramax.storage.checkpoints import set_checkpoint
from ramax.storage.executors import Executor
from ramax.storage.plan import Extra
from ramax.storage.sql import DIALECTS, Params, Sql, Statement
from ramax.storage.tables import Tables

_OURS = "ramax_space_id"
_SHAPES: dict[tuple[str, Any], "Shape"] = {}
_MOST_SHAPES = 5000


class _Prepared(Sql):
    """Driver text whose parameters were put into order when they were bound."""

    __slots__ = ()

    def arguments(self, params: Params) -> Sequence[Any]:
        """See `Sql.arguments`."""
        return params["arguments"]  # type: ignore[no-any-return,call-overload]


def _of_a_handler(_: Tables) -> sa.ClauseElement:
    raise NotImplementedError  # it is compiled already


class Shape(Statement):
    """A compiled statement of a projection, and how its values become parameters."""

    __slots__ = ("_bound", "_names", "_processors", "_sql", "stream")

    def __init__(self, compiled: Any, table: sa.Table, dialect: sa.Dialect) -> None:
        super().__init__(_of_a_handler)
        self._bound = compiled
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._processors = {
            name: processor
            for name, parameter in compiled.binds.items()
            if (processor := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }
        self.stream: object = table.metadata if _is_linked(table) else table
        sql = _Prepared.__new__(_Prepared)
        sql.text = str(compiled)
        self._sql = sql

    def on(self, _tables: Tables) -> Sql:
        """See `Statement.on`."""
        return self._sql

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Put values into the driver's form and order."""
        found = []
        for name in self._names:
            value, processor = values[name], self._processors.get(name)
            found.append(value if processor is None else processor(value))
        return found


def _is_linked(table: sa.Table) -> bool:
    """Say whether foreign keys make the order of statements on several tables matter."""
    return bool(table.foreign_keys) or any(
        key.column.table is table
        for other in table.metadata.tables.values()
        for key in other.foreign_keys
    )


class Bound(NamedTuple):
    """A statement of a projection, ready for the driver."""

    shape: Shape
    row: Mapping[str, Any]


def bind(tables: Tables, space_id: int, projection: Projection, statement: object) -> Bound:
    """Confine a statement to a space and take its values out of it.

    Raises:
        MisuseError: It is no insert, update or delete of one of the projection's tables, or is
            about anything beside that table.
    """
    try:
        return _bind(tables.dialect, space_id, projection, statement)
    except (sa.exc.SQLAlchemyError, TypeError, ValueError) as error:
        raise MisuseError(f"the statement cannot be taken apart: {error}") from error


def _bind(dialect: str, space_id: int, projection: Projection, made: object) -> Bound:
    if not isinstance(made, (Upsert, sa.Insert, sa.Update, sa.Delete)):
        raise MisuseError(f"a projection yields insert, update, delete or upsert, got {made!r:.80}")
    table: Any = made.table
    if not any(table is own for own in projection.tables):
        raise MisuseError(f"{table} is not among the tables of the projection")
    confined = _confined(dialect, made, table, space_id)
    key = confined._generate_cache_key()  # noqa: SLF001 - what SQLAlchemy's own cache goes by
    if key is None:
        raise MisuseError("a type or expression in the statement has no cache key (cache_ok)")
    shape = _SHAPES.get((dialect, key.key))
    if shape is None:
        shape = _compile(dialect, made, confined, key)
        if len(_SHAPES) >= _MOST_SHAPES:
            _SHAPES.clear()
        _SHAPES[dialect, key.key] = shape
    values = shape._bound.construct_params(  # noqa: SLF001 - of this module
        extracted_parameters=key.bindparams, escape_names=False
    )
    return Bound(shape, {SPACE: space_id, "arguments": shape.arguments(values)})


def _confined(dialect: str, made: Any, table: sa.Table, space_id: int) -> Any:
    """Add the space: to the row of an insert, to the condition of an update or a delete."""
    own = sa.bindparam(_OURS, space_id, type_=sa.BigInteger())
    if isinstance(made, Upsert):
        _check_set(made.values)
        return _upsert(dialect, made, table, own)
    if isinstance(made, sa.Insert):
        _check_set(_values_of(made))
        return made.values({SPACE: own}).inline()
    return made.where(table.c[SPACE] == own)


def _upsert(dialect: str, made: Upsert, table: sa.Table, own: sa.BindParameter[int]) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement: Any = insert(table).values({**made.values, SPACE: own}).inline()
    key = [column.key for column in table.primary_key.columns]
    if missing := [name for name in key if name != SPACE and name not in made.values]:
        raise MisuseError(f"the upsert into {table} lacks {missing}, which is in its primary key")
    changes = made.changes
    if changes is None:
        changes = {name: statement.excluded[name] for name in made.values if name not in key}
    columns = [column.name for column in table.primary_key.columns]
    if not changes:
        return statement.on_conflict_do_nothing(index_elements=columns)
    return statement.on_conflict_do_update(index_elements=columns, set_=dict(changes))


def _compile(dialect_name: str, made: Any, confined: Any, key: Any) -> Shape:
    """Check a statement and compile it; what is checked is the same for all of its shape."""
    dialect, table = DIALECTS[dialect_name], made.table
    if isinstance(made, Upsert):
        _check_set(made.changes or {})
        _check_part(sa.insert(table).values(dict(made.values)), table)
        _check_part(sa.update(table).values(dict(made.changes or {})), table)
    else:
        if getattr(made, "_post_values_clause", None) is not None:
            raise MisuseError("use the projection's upsert instead of ON CONFLICT")
        _check_set(_values_of(made))
        _check_part(made, table)
    compiled = confined.compile(dialect=dialect, cache_key=key)
    if compiled.post_compile_params:
        raise MisuseError("IN with a list is not possible; yield a statement for each value")
    prefetched = [*(compiled.insert_prefetch or ()), *(compiled.update_prefetch or ())]
    if prefetched:
        raise MisuseError(
            f"{table} has defaults in Python for {[column.key for column in prefetched]}; give the "
            "values, or use server_default"
        )
    return Shape(compiled, table, dialect)


def _values_of(statement: Any) -> Mapping[Any, Any]:
    # SQLAlchemy has no public way to ask; an update that sets in an order has a list
    ordered = dict(getattr(statement, "_ordered_values", None) or ())
    return getattr(statement, "_values", None) or ordered


def _check_set(values: Mapping[Any, Any]) -> None:
    if any(getattr(name, "key", name) == SPACE for name in values):
        raise MisuseError(f"{SPACE!r} is not for a handler to set: the row is the event's space's")


def _check_part(statement: Any, table: sa.Table) -> None:
    """Refuse what could reach beyond the table, or change how a condition reads."""
    for part in visitors.iterate(statement):
        foreign = (
            isinstance(part, sa.TextClause | sa.sql.expression.SelectBase)
            or (isinstance(part, sa.FromClause) and part is not table)
            or (isinstance(part, sa.ColumnClause) and part.table is not table)
            or (isinstance(part, sa.sql.expression.UpdateBase) and part is not statement)
        )
        if foreign:
            raise MisuseError(
                f"a projection's statement is about columns of {table} and values, nothing else; "
                f"got {str(part)[:80]!r}"
            )


def grouped(statements: Iterable[Bound]) -> list[Extra]:
    """Put statements of one shape together, where nothing tells the difference.

    Statements on tables without foreign keys between them do not depend on each other; those on
    one table keep their order.
    """
    streams: dict[object, list[tuple[Shape, list[Mapping[str, Any]]]]] = {}
    for shape, row in statements:
        stream = streams.setdefault(shape.stream, [])
        if stream and stream[-1][0] is shape:
            stream[-1][1].append(row)
        else:
            stream.append((shape, [row]))
    return [Extra(shape, rows) for stream in streams.values() for shape, rows in stream]


def projection_rows(writes: Iterable[SpaceWrite], now: int) -> list[Extra]:
    """Make what inline projections add to a write plan: their rows, and where they are then."""
    moved = [write for write in writes if write.positions]
    if not moved:
        return []
    steps = [
        {SPACE: write.space_id, "name": name, "sequence": sequence, "now": now}
        for write in moved
        for name, sequence in write.positions.items()
    ]
    extras = grouped(bound for write in moved for bound in write.projected)
    return [*extras, Extra(set_checkpoint, steps)]


def run(ex: Executor, statements: Iterable[Bound]) -> None:
    """Run statements in the caller's transaction, which holds the space's lock."""
    for extra in grouped(statements):
        ex.run_many(extra.statement, extra.rows)


def move(ex: Executor, space_id: int, name: str, sequence: int, now: int) -> None:
    """Note where a projection is; the caller holds the space's lock."""
    ex.run(set_checkpoint, {SPACE: space_id, "name": name, "sequence": sequence, "now": now})


def _emptying(table: sa.Table) -> Callable[[Tables], sa.Delete]:
    return lambda _: sa.delete(table).where(table.c[SPACE] == sa.bindparam(SPACE))


def empty(ex: Executor, tables: Iterable[sa.Table], space_id: int) -> None:
    """Delete the rows of a space from tables, those that refer to others first."""
    for table in reversed(sa.schema.sort_tables(list(tables))):
        ex.run(Statement(_emptying(table)), {SPACE: space_id})


def spaces_in(ex: Executor, table: sa.Table) -> set[int]:
    """Read which spaces have rows in a table; names no space on purpose."""
    column = table.c[SPACE]
    return {row[0] for row in ex.rows(Statement(lambda _: sa.select(column).distinct()), {})}
