"""Core statements as the only SQL: built once, compiled once per set of tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

from ramax.storage.tables import Tables

DIALECTS: dict[str, sa.Dialect] = {
    "sqlite": SQLiteDialect_aiosqlite(paramstyle="qmark"),
    "postgresql": PGDialect_asyncpg(),  # type: ignore[no-untyped-call]
}


Params = Mapping[str, Any] | tuple[Any, ...]
"""Parameters by name, or in the very order in which the compiled statement takes them."""


class Sql:
    """A compiled statement: driver text and the order in which its parameters go."""

    __slots__ = ("_defaults", "names", "text")

    def __init__(self, statement: sa.ClauseElement, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        # literals of the statement itself become parameters with a value
        self._defaults = {k: v for k, v in compiled.params.items() if v is not None}

    def arguments(self, params: "Params") -> Sequence[Any]:
        """Put named parameters into the driver's order; a tuple is in that order already."""
        if type(params) is tuple:
            return params
        defaults = self._defaults
        return [params[n] if n in params else defaults[n] for n in self.names]  # type: ignore[call-overload]


class Statement:
    """A statement as a function of the tables; ``@Statement`` above the function that builds it."""

    __slots__ = ("_build", "_compiled")

    def __init__(self, build: Callable[[Tables], sa.ClauseElement]) -> None:
        self._build = build
        self._compiled: dict[Tables, Sql] = {}

    def on(self, tables: Tables) -> Sql:
        """Return the compiled form for these tables."""
        found = self._compiled.get(tables)
        if found is None:
            found = self._compiled[tables] = Sql(self._build(tables), DIALECTS[tables.dialect])
        return found


def opaque(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a column as a term from which no planner derives a constant, nor a search.

    Before PostgreSQL has statistics it believes that a space has one row. Where the space of a
    joined table is known, or can be derived, it searches that table by the space alone, for every
    row again, and a plan that was begun stays: some hundred rows took minutes.
    """
    return column + sa.literal_column("0")


def beside(
    t: Tables,
    given: sa.FromClause,
    found: sa.FromClause,
    same: sa.ColumnElement[bool],
    *,
    outer: bool = False,
) -> tuple[sa.FromClause, sa.FromClause]:
    """Join what is searched for, one row for each that there is; also return what has its columns.

    PostgreSQL may plan a join as if there were few rows, and keep to that: it then goes over a
    whole table for each. A single row of its own is always searched for by its key.

    Args:
        same: Finds the row by a whole key.
        outer: Also where there is none.
    """
    if t.dialect == "sqlite":  # searches anyway
        return given.join(found, same, isouter=outer), found
    one = sa.select(*found.c).where(same).limit(sa.literal_column("1"))
    its = one.correlate_except(found).lateral("its")
    return given.join(its, sa.true(), isouter=outer), its


def along(
    t: Tables,
    columns: tuple[sa.ColumnElement[Any], sa.ColumnElement[int]],
    value: str,
    bounds: tuple[str | None, str],
) -> list[sa.ColumnElement[bool]]:
    """Say that a column has a value, where the sequence beside it in an index is within bounds.

    Before PostgreSQL has statistics, a part of the log costs it as much as one entity of it, and
    to find one event it may read the log. Bound together, only the index of both answers.

    Args:
        value: The name of the parameter of the first column.
        bounds: The names of those of the second: above the first one, up to the second one.
    """
    column, sequence = columns
    low, high = bounds
    mine = column == p(value)
    if t.dialect == "sqlite":  # without statistics it takes the index that has more of equalities
        above = [] if low is None else [sequence > p(low)]
        return [mine, *above, sequence <= p(high)]

    def place(bound: str) -> sa.Tuple:
        return sa.tuple_(p(value, type_=column.type), p(bound, type_=sequence.type))

    both = sa.tuple_(column, sequence)
    return [mine, *([] if low is None else [both > place(low)]), both <= place(high)]


def unnest(name: str, **columns: sa.types.TypeEngine[Any]) -> sa.TableValuedAlias:
    """Arrays as rows (PostgreSQL): parameter ``<name>_<column>`` for each column."""
    return (
        sa.func.unnest(*[sa.bindparam(f"{name}_{c}", type_=ARRAY(t)) for c, t in columns.items()])
        .table_valued(*[sa.column(c, t) for c, t in columns.items()], name=name)
        .render_derived()
    )
