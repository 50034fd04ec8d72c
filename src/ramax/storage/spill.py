"""Packed values by key: in memory up to a bound, beyond that in a private temporary file."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from ramax.core.state import End
from ramax.storage.faults import translated

T = TypeVar("T")

_ENTRY = 140  # bytes of Python around a key and its value: 105 to 135 by tracemalloc
_PAGE = 1000

_SETUP = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA temp_store = FILE;
    CREATE TABLE spilled (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class Spill:
    """What a rebuild folds into, for one thread at a time.

    The file is SQLite's own kind of temporary database: it has no name, and is gone when it is
    closed or the process ends, however that happens.

    Args:
        memory: Bytes that keys and values may take in memory, `_ENTRY` for each key included.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._used = 0
        self._held: dict[str, bytes | None] = {}  # None: deleted in the file
        self._file: sqlite3.Connection | None = None

    def update(self, values: Mapping[str, bytes | None]) -> None:
        """Set keys, and delete those whose value is None.

        Raises:
            StorageError: The temporary file cannot be written.
        """
        held = self._held
        for key, value in values.items():
            if key in held:
                self._used -= _size(key, held[key])
            if value is None and self._file is None:
                held.pop(key, None)
            else:
                held[key] = value
                self._used += _size(key, value)
        if self._used > self._memory:
            self._flush()

    def load(self, key: str) -> bytes | None:
        """Return the value of a key, or None."""
        if self._file is None or key in self._held:
            return self._held.get(key)
        found = self._rows("SELECT key, value FROM spilled WHERE key = ?", key)
        return found[0][1] if found else None

    def load_range(self, low: str, high: str) -> Mapping[str, bytes]:
        """Return what lies in low <= key < high, for applicators that go over their whole state."""
        found = {}
        if low and (first := self.load(low)) is not None:
            found[low] = first
        for key, value in self.walk(low):
            if key >= high:
                break
            found[key] = value
        return found

    def load_nearest(self, low: str, high: str, end: End) -> str | None:
        """Return the lowest key in low <= key < high, or the highest; reads all of them."""
        return (max if end == "highest" else min)(self.load_range(low, high), default=None)

    def walk(self, after: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield keys above ``after`` with their values, in order; nothing may change meanwhile."""
        if self._file is None:
            for key in sorted(key for key in self._held if key > after):
                if (value := self._held[key]) is not None:
                    yield key, value
            return
        self._flush()
        while page := self._rows(
            "SELECT key, value FROM spilled WHERE key > ? ORDER BY key LIMIT ?", after, _PAGE
        ):
            yield from page
            after = page[-1][0]

    def __len__(self) -> int:
        return len(self._held) if self._file is None else sum(1 for _ in self.walk())

    def close(self) -> None:
        """Forget everything; the temporary file goes."""
        self._held.clear()
        self._used = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _flush(self) -> None:
        if self._file is None:
            self._file = _attempt(_open)
        file, items = self._file, sorted(self._held.items())
        _attempt(lambda: _write(file, items))
        self._held.clear()
        self._used = 0

    def _rows(self, sql: str, *params: str | int) -> list[tuple[str, bytes]]:
        file = self._file
        assert file is not None
        return _attempt(lambda: file.execute(sql, params).fetchall())


def _size(key: str, value: bytes | None) -> int:
    return _ENTRY + len(key) + (len(value) if value else 0)


def _open() -> sqlite3.Connection:
    # an empty name is SQLite's word for a temporary file that nobody else can open
    file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    try:
        file.executescript(_SETUP)
    except BaseException:
        file.close()
        raise
    return file


def _write(file: sqlite3.Connection, items: Iterable[tuple[str, bytes | None]]) -> None:
    items = list(items)
    file.execute("BEGIN")
    file.executemany(
        "INSERT OR REPLACE INTO spilled VALUES (?, ?)", (i for i in items if i[1] is not None)
    )
    file.executemany("DELETE FROM spilled WHERE key = ?", ((k,) for k, v in items if v is None))
    file.execute("COMMIT")


def _attempt(work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.Error as error:
        raise translated(error) from error
