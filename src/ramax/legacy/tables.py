"""Find the tables of an Elixir Ramax in one file or in several, and tell their forms by columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ramax.errors import LegacyFormatError
from ramax.legacy.files import SourceFile
from ramax.storage.forms import FORMS, Shape, describe_legacy, form_of
from ramax.storage.tables import VERSION_TABLE

PSTATE: Final = "pstate_entities"
_KINDS: Final = {"integer": "int", "bigint": "int", "text": "text", "blob": "bytes"}


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table that was found: in which file, under which name there, and its form."""

    file: SourceFile
    name: str
    form: str

    @property
    def quoted(self) -> str:
        """The name, for SQL."""
        return '"' + self.name.replace('"', '""') + '"'

    def is_empty(self) -> bool:
        """Whether it has no row."""
        return not list(self.file.rows(f"SELECT 1 FROM {self.quoted} LIMIT 1"))  # noqa: S608


@dataclass(frozen=True, slots=True)
class SourceTables:
    """The tables by their role, whatever the pstate table is called; ``description`` is prose."""

    by_role: Mapping[str, SourceTable]
    description: str


def find_tables(files: Sequence[SourceFile], pstate_table: str | None = None) -> SourceTables:
    """Find the tables in files that belong together, as events and pstate in two.

    ``pstate_table`` is the name of the pstate table, for an application that gave it another one
    and has several. Raises `LegacyFormatError` for files that hold something else, for a database
    that is a ramax one already, and where two tables that hold rows have the same role.
    """
    found: dict[str, SourceTable] = {}
    for file in files:
        shapes = _shapes(file)
        _check_is_elixirs(file, shapes)
        for role, table in _roles(file, shapes, pstate_table):
            found[role] = table if role not in found else _the_filled_one(role, found[role], table)
    if pstate_table is not None and PSTATE not in found:
        raise LegacyFormatError("pstate table", pstate_table, "is in none of the files")
    if not found.keys() & {"events", PSTATE}:
        paths = ", ".join(str(file.path) for file in files)
        names = ", ".join(sorted(name for file in files for name in _shapes(file))) or "none"
        raise LegacyFormatError("file", paths, f"holds no table of a Ramax; its tables: {names}")
    known = {role: _shapes(table.file)[table.name] for role, table in found.items()}
    return SourceTables(found, describe_legacy(known).description)


def _roles(
    file: SourceFile, shapes: Mapping[str, Shape], pstate_table: str | None
) -> Iterator[tuple[str, SourceTable]]:
    for name, shape in shapes.items():
        role = name.lower()
        if role not in FORMS and form_of(PSTATE, shape):
            role = PSTATE
        if role == PSTATE and pstate_table not in {None, name}:
            continue
        if role in FORMS and (form := form_of(role, shape)):
            yield role, SourceTable(file, name, form)


def _the_filled_one(role: str, first: SourceTable, second: SourceTable) -> SourceTable:
    if second.is_empty():
        return first
    if first.is_empty():
        return second
    raise LegacyFormatError(
        "file",
        str(second.file.path),
        f"{first.name} of {first.file.path} and {second.name} both hold rows of {role}; "
        "take one file of each kind, or name the pstate table",
    )


def _check_is_elixirs(file: SourceFile, shapes: Mapping[str, Shape]) -> None:
    if VERSION_TABLE in shapes:
        raise LegacyFormatError(
            "file", str(file.path), "is a ramax database already: open it, or `ramax db upgrade` it"
        )
    reason = describe_legacy({role: shapes[role] for role in shapes if role in FORMS}).reason
    if reason:
        raise LegacyFormatError("file", str(file.path), reason)


def _shapes(file: SourceFile) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for name, kind in file.rows(
        "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ):
        columns, key = {}, []
        for column, declared, position in file.rows(
            "SELECT lower(name), lower(type), pk FROM pragma_table_info(?)", name.decode()
        ):
            columns[column.decode()] = _KINDS.get(declared.decode(), declared.decode())
            if position:
                key.append((position, column.decode()))
        table = name.decode()
        shapes[table] = Shape(columns, tuple(column for _, column in sorted(key)), kind == b"table")
    return shapes
