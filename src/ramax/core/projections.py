"""What a domain keeps in tables of the application: handlers that make statements of events.

Tables and statements are whatever the storage takes; nothing here looks into a statement.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from ramax.core.limits import check_name
from ramax.core.ordering import Order, check_order
from ramax.errors import DataError, MisuseError
from ramax.values import Event

ProjectionHandler = Callable[[Event], Any]
ProjectionMode = Literal["inline", "async"]
H = TypeVar("H", bound=ProjectionHandler)

SPACE = "space_id"
"""The column that says whose a row is."""

_BUILT_IN = "pstate"
_OWN_TYPES = "ramax."
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, eq=False)
class Upsert:
    """A row to be inserted, or changed where its primary key is there: `Projection.upsert`."""

    table: Any
    values: Mapping[str, Any]
    changes: Mapping[str, Any] | None = None


class Projection:
    """A named read model in tables of yours: which event becomes which statements.

    Its handlers are pure: they get an event as an applicator does, without ids, and yield, or
    return, SQLAlchemy inserts, updates and deletes on the projection's tables, or an `upsert`.
    They never name the space: every statement is confined to that of the event.
    """

    def __init__(
        self, name: str, tables: Iterable[Any], mode: ProjectionMode, order: Order = "canonical"
    ) -> None:
        check_name(name, "projection name", _LONGEST_NAME)
        if name == _BUILT_IN or "/" in name:
            raise DataError("projection name", name, "must not be 'pstate', nor contain '/'")
        if mode not in get_args(ProjectionMode):
            raise DataError("mode", mode, "is 'inline' or 'async'")
        self.name, self.mode = name, mode
        self.order: Order = check_order(order, "order")
        self.tables = _checked(name, tables)
        self.frozen = False
        self._handlers: dict[str, ProjectionHandler] = {}

    def __repr__(self) -> str:
        return f"<Projection {self.name!r} {self.mode} types={sorted(self._handlers)}>"

    @property
    def event_types(self) -> frozenset[str]:
        """The types that have a handler."""
        return frozenset(self._handlers)

    def on(self, *event_types: str) -> Callable[[H], H]:
        """Register the decorated ``def handler(event)`` for these types.

        Raises:
            MisuseError: A type has a handler already, it is no plain function, or the domain is in
                use.
        """
        if not event_types or not all(isinstance(t, str) and t for t in event_types):
            raise MisuseError("a projection takes event types: @projection.on('a.b')")

        def register(function: H) -> H:
            if self.frozen:
                raise MisuseError(
                    f"the domain of projection {self.name!r} is in use; register its handlers "
                    "before opening a space"
                )
            if not callable(function) or _is_async(function):
                raise MisuseError(f"a handler of projection {self.name!r} is a plain function")
            for event_type in event_types:
                self._add(event_type, function)
            return function

        return register

    def upsert(
        self, table: Any, values: Mapping[str, Any], changes: Mapping[str, Any] | None = None
    ) -> Upsert:
        """Insert a row, or change the one that has its primary key; the same on each database.

        Args:
            table: One of the projection's tables.
            values: The row without ``space_id``, by column; its primary key is among them.
            changes: What to set in a row that is there, by column; expressions of the table's
                columns are possible. By default the values that are not of the key.
        """
        return Upsert(table, values, changes)

    def _add(self, event_type: str, function: ProjectionHandler) -> None:
        if event_type.startswith(_OWN_TYPES):
            raise MisuseError(f"{event_type!r} is a type of ramax's data types")
        if event_type in self._handlers:
            raise MisuseError(f"{event_type!r} is handled twice in projection {self.name!r}")
        self._handlers[event_type] = function

    def statements(self, event: Event) -> Iterable[Any]:
        """Return what an event comes to, in order; nothing for a type that has no handler."""
        handler = self._handlers.get(event.event_type)
        result: Any = None if handler is None else handler(event)
        if result is None:
            return ()
        if inspect.iscoroutine(result):
            result.close()
            raise MisuseError("a projection's handler is a plain function without I/O")
        if isinstance(result, (list, tuple, Iterator)):
            return list(result)
        return (result,)


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _checked(name: str, tables: Any) -> tuple[Any, ...]:
    if hasattr(tables, "primary_key"):  # a single one
        tables = (tables,)
    found = tuple(tables) if isinstance(tables, Iterable) else ()
    if not found:
        raise MisuseError(f"projection {name!r} needs tables: into=[table]")
    for table in found:
        _check_table(name, table)
    return found


def _check_table(name: str, table: Any) -> None:
    """Refuse a table in which rows of two spaces could meet."""
    columns, key = getattr(table, "c", None), getattr(table, "primary_key", None)
    if columns is None or key is None:
        raise MisuseError(f"projection {name!r}: {table!r:.80} is no SQLAlchemy Table")
    if SPACE not in columns:
        raise DataError(
            f"table of projection {name!r}", str(table), f"must have a column {SPACE!r}"
        )
    constraints = [c for c in table.constraints if type(c).__name__ == "UniqueConstraint"]
    unique = [key, *constraints, *(index for index in table.indexes if index.unique)]
    for each in unique:
        names = [column.key for column in each.columns]
        if SPACE not in names and (names or each is key):
            raise DataError(
                f"table of projection {name!r}",
                str(table),
                f"must have {SPACE!r} in every key, as rows of two spaces would meet in "
                f"{tuple(names)}",
            )


class Projections:
    """The projections of one domain, each under a name and with tables of its own."""

    def __init__(self) -> None:
        self._by_name: dict[str, Projection] = {}
        self.inline: tuple[Projection, ...] = ()
        self.inline_names: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Projection]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Projection | None:
        """Return the one of that name, or None."""
        return self._by_name.get(name)

    def add(self, projection: Projection) -> None:
        """Add one.

        Raises:
            MisuseError: Its name or one of its tables is another's.
        """
        name = projection.name
        if name in self._by_name:
            raise MisuseError(f"two projections are called {name!r}")
        for other in self:
            if shared := [t for t in projection.tables if any(t is its for its in other.tables)]:
                raise MisuseError(
                    f"projections {other.name!r} and {name!r} both fill {shared[0]}; "
                    "rebuilding one would empty the other"
                )
        self._by_name[name] = projection
        self.inline = tuple(p for p in self if p.mode == "inline")
        self.inline_names = frozenset(p.name for p in self.inline)

    def freeze(self) -> None:
        """Let no handler be added any more."""
        for projection in self:
            projection.frozen = True
