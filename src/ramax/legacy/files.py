"""Open a SQLite file for reading and leave it, and everything beside it, as it is.

A file alone is opened as immutable: no lock, no side file. Where a write-ahead log or a rollback
journal waits beside it, part of the data is in there, and SQLite would have to write to use it:
then copies of both are opened, in a folder that goes away afterwards.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ramax.errors import LegacyFormatError

_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_SIDE_FILES: Final = ("-wal", "-journal")

FileStates = tuple[tuple[str, int, int], ...]
"""Name, bytes and time of change of a file and of those beside it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A database that is open for reading; its text comes as bytes."""

    path: Path
    connection: sqlite3.Connection
    states: FileStates

    def rows(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        """Read rows; `LegacyFormatError` if SQLite cannot."""
        try:
            yield from self.connection.execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            refuse(self.path, f"cannot be read: {error}", error)

    def check_unchanged(self) -> None:
        """Raise `LegacyFormatError` if it was written to since it was opened."""
        _check_unchanged(self.path, self.states)


def refuse(path: Path, rule: str, cause: Exception | None = None) -> None:
    """Raise `LegacyFormatError` about a file."""
    raise LegacyFormatError("file", str(path), rule) from cause


@contextmanager
def opened(path: Path) -> Iterator[SourceFile]:
    """Open a database, usable from any one thread at a time.

    Raises `LegacyFormatError` if it is missing, is no SQLite database, is cut short or damaged, and
    at the end if it was changed meanwhile: what was read then is not to be used.
    """
    _check_header(path)
    before = _states(path)
    waiting = [side for side in _side_files(path) if side.exists() and side.stat().st_size]
    with tempfile.TemporaryDirectory(prefix="ramax-legacy-") as folder:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        if waiting:
            for file in (path, *waiting):
                shutil.copyfile(file, Path(folder, file.name))
            uri = Path(folder, path.name).absolute().as_uri()
        _check_unchanged(path, before)
        with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
            connection.text_factory = bytes
            source = SourceFile(path, connection, before)
            _check_pages(source)
            yield source
    _check_unchanged(path, before)


def _side_files(path: Path) -> list[Path]:
    return [path.with_name(path.name + side) for side in _SIDE_FILES]


def _states(path: Path) -> FileStates:
    found = ((file.name, file.stat()) for file in (path, *_side_files(path)) if file.exists())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def _check_unchanged(path: Path, before: FileStates) -> None:
    if _states(path) != before:
        refuse(path, "was written to while it was read; close what uses it, and try again")


def _check_header(path: Path) -> None:
    if not path.is_file():
        refuse(path, "does not exist, or is not a file")
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC):
        refuse(path, "is not a SQLite database" if header else "is empty")
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    pages = int.from_bytes(header[28:32], "big")
    counted = header[24:28] == header[92:96]  # else a very old SQLite wrote it, without the count
    if len(header) < _HEADER_BYTES or (counted and path.stat().st_size < pages * page_size):
        refuse(path, "is cut short")


def _check_pages(file: SourceFile) -> None:
    for (found,) in file.rows("PRAGMA quick_check(1)"):
        if found != b"ok":
            refuse(file.path, f"is damaged: {found.decode(errors='replace')}")
