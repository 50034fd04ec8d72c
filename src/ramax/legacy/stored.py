"""The rows of the old tables as they were stored, in order, whichever form each table has."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from ramax.legacy.records import BadRow
from ramax.legacy.tables import PSTATE, SourceTable, SourceTables

Row = tuple[Any, ...]

Only = Collection[int | None] | None
"""The space ids whose rows are meant, None among them for rows that name no space; None: all."""


class StoredRows:
    """What the tables hold, without the rows to be left out; text comes as bytes."""

    def __init__(self, tables: SourceTables, leave_out: Collection[BadRow]) -> None:
        self.tables = tables.by_role
        self.left_out = frozenset((bad.table, bad.row) for bad in leave_out)

    def has(self, role: str) -> bool:
        """Whether there is such a table."""
        return role in self.tables

    def form(self, role: str) -> str:
        """The form of a table; empty if there is none."""
        return self.tables[role].form if role in self.tables else ""

    def name(self, role: str) -> str:
        """What a table is called in its file."""
        return self.tables[role].name

    def event_places(self) -> Iterator[Row]:
        """Read (event_id, space_id, space_sequence, timestamp) of all events, by event id."""
        return self._events("timestamp")

    def event_ids(self) -> Iterator[Row]:
        """Read (event_id,) of all events, in order."""
        return self._rows("events", "event_id", "event_id", _first)

    def events(self, only: Only = None) -> Iterator[Row]:
        """Read (event_id, space_id, space_sequence, all others) of events, by event id."""
        return self._events(
            "entity_id, event_type, CAST(payload AS BLOB), timestamp, causation_id, correlation_id,"
            " created_at",
            only,
        )

    def values(self, only: Only = None) -> Iterator[Row]:
        """Read (space_id, key, value, updated_at) of pstate, by space and key."""
        space = "NULL" if self.form(PSTATE) == "plain" else "space_id"
        columns = f"{space} AS space, key, CAST(value AS BLOB), updated_at"
        return self._rows(PSTATE, columns, "space, key", self.value_id, only)

    def value_spaces(self) -> Iterator[Row]:
        """Read (space_id, key) of pstate."""
        space = "NULL" if self.form(PSTATE) == "plain" else "space_id"
        return self._rows(PSTATE, f"{space}, key", "1", self.value_id)

    def value_id(self, space: object, key: object, *_others: object) -> Row:
        """The id of a row of pstate: its primary key."""
        return (space, key) if self.form(PSTATE) == "spaced" else (key,)

    def spaces(self) -> Iterator[Row]:
        """Read (space_id, space_name, created_at, metadata) of the registry, by id."""
        return self._rows("spaces", "space_id, space_name, created_at, metadata", "space_id")

    def checkpoints(self) -> Iterator[Row]:
        """Read (space_id, last_event_id, last_space_sequence, updated_at), by space."""
        columns = "space_id, last_event_id, last_space_sequence, updated_at"
        return self._rows("projection_checkpoints", columns, "space_id", _first)

    def lowest_event_id(self) -> int:
        """Find the lowest id of an event that is there; 1 if none is."""
        table = self.tables.get("events")
        sql = f"SELECT min(event_id) FROM {table.quoted}" if table else ""  # noqa: S608 - our names
        found = list(table.file.rows(sql)) if table else []
        return int(found[0][0]) if found and type(found[0][0]) is int else 1

    def highest(self, role: str, column: str) -> int:
        """Find the highest id that is in a table, or was once, as SQLite remembers it."""
        table = self.tables.get(role)
        if table is None or (column == "space_id" and table.form == "plain"):
            return 0
        found = [f"SELECT max({column}) FROM {table.quoted}"]  # noqa: S608 - names of our own
        counted = role == {"event_id": "events", "space_id": "spaces"}[column]
        if counted and self._is_counted(table):
            found.append(f"SELECT seq FROM sqlite_sequence WHERE name = '{role}'")  # noqa: S608
        highest = [value for sql in found for (value,) in table.file.rows(sql)]
        return max((value for value in highest if type(value) is int), default=0)

    def _events(self, columns: str, only: Only = None) -> Iterator[Row]:
        place = "NULL, NULL" if self.form("events") == "plain" else "space_id, space_sequence"
        return self._rows("events", f"event_id, {place}, {columns}", "event_id", _first, only)

    def _rows(
        self,
        role: str,
        columns: str,
        order: str,
        identify: Callable[..., Row] | None = None,
        only: Only = None,
    ) -> Iterator[Row]:
        """Read a table, if there is one; ``identify`` makes the id that rows are left out by."""
        table = self.tables.get(role)
        if table is None:
            return
        where = "" if only is None else f" WHERE {_within(only, named=table.form != 'plain')}"
        sql = f"SELECT {columns} FROM {table.quoted}{where} ORDER BY {order}"  # noqa: S608 - our names
        for row in table.file.rows(sql):
            if not (self.left_out and identify and (table.name, identify(*row)) in self.left_out):
                yield row

    @staticmethod
    def _is_counted(table: SourceTable) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
        return bool(list(table.file.rows(sql)))


def _within(only: Collection[int | None], *, named: bool) -> str:
    """Say in SQL which rows are meant; those of a table without space ids name no space."""
    if not named:
        return "1" if None in only else "0"
    # two plain terms, for each of which SQLite can use an index
    return " OR ".join("space_id IS NULL" if i is None else f"space_id = {i:d}" for i in only)


def _first(row_id: object, *_others: object) -> Row:
    return (row_id,)
