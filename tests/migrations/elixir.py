"""Databases as the Elixir Ramax left them, at each age of its schema."""

import random
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Any

EVENTS = """
CREATE TABLE events (
  event_id INTEGER PRIMARY KEY AUTOINCREMENT,
  {spaces}
  entity_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  payload {payload} NOT NULL,
  timestamp INTEGER NOT NULL,
  causation_id INTEGER,
  correlation_id TEXT,
  created_at INTEGER DEFAULT (strftime('%s', 'now'))
);
CREATE INDEX idx_events_entity_id_event_id ON events(entity_id, event_id);
CREATE INDEX idx_events_event_type ON events(event_type);
CREATE INDEX idx_events_correlation_id ON events(correlation_id)
  WHERE correlation_id IS NOT NULL;
"""
PLAIN_EVENTS = EVENTS.format(spaces="", payload="BLOB")
TEXT_EVENTS = EVENTS.format(spaces="", payload="TEXT")
SPACE_INDEXES = """
CREATE INDEX idx_events_space_seq ON events(space_id, space_sequence);
CREATE INDEX idx_events_space_entity ON events(space_id, entity_id, event_id);
"""
SPACED_EVENTS = (
    EVENTS.format(
        spaces="space_id INTEGER NOT NULL, space_sequence INTEGER NOT NULL,", payload="BLOB"
    )
    + SPACE_INDEXES
)
PSTATE = """
CREATE TABLE pstate_entities (
  key TEXT PRIMARY KEY,
  value {value} NOT NULL,
  updated_at INTEGER DEFAULT (strftime('%s', 'now'))
);
CREATE INDEX idx_updated_at ON pstate_entities(updated_at);
"""
PLAIN_PSTATE = PSTATE.format(value="BLOB")
TEXT_PSTATE = PSTATE.format(value="TEXT")
SPACED_PSTATE = """
CREATE TABLE pstate_entities (
  space_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  updated_at INTEGER DEFAULT (strftime('%s', 'now')),
  PRIMARY KEY (space_id, key)
);
CREATE INDEX idx_pstate_space ON pstate_entities(space_id);
"""
REGISTRY = """
CREATE TABLE spaces (
  space_id INTEGER PRIMARY KEY AUTOINCREMENT,
  space_name TEXT UNIQUE NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (strftime('%s', 'now')),
  metadata TEXT
);
CREATE INDEX idx_spaces_name ON spaces(space_name);
CREATE TABLE space_sequences (
  space_id INTEGER PRIMARY KEY,
  last_sequence INTEGER NOT NULL DEFAULT 0
);
"""
CHECKPOINTS = """
CREATE TABLE projection_checkpoints (
  space_id INTEGER PRIMARY KEY,
  last_event_id INTEGER NOT NULL,
  last_space_sequence INTEGER NOT NULL,
  updated_at INTEGER DEFAULT (strftime('%s', 'now'))
);
"""
BEFORE_SPACES = PLAIN_EVENTS + PLAIN_PSTATE
WITH_SPACES = SPACED_EVENTS + REGISTRY + CHECKPOINTS + SPACED_PSTATE

ALTERED_BY_HAND = (
    """
ALTER TABLE events ADD COLUMN space_id INTEGER DEFAULT 1;
ALTER TABLE events ADD COLUMN space_sequence INTEGER DEFAULT 0;
ALTER TABLE pstate_entities ADD COLUMN space_id INTEGER DEFAULT 1;
CREATE TABLE spaces (
  space_id INTEGER PRIMARY KEY,
  space_name TEXT UNIQUE NOT NULL,
  created_at INTEGER NOT NULL,
  metadata TEXT
);
INSERT INTO spaces (space_id, space_name, created_at) VALUES (1, 'default', 1700000000);
CREATE TABLE space_sequences (
  space_id INTEGER PRIMARY KEY,
  last_sequence INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX idx_spaces_name ON spaces(space_name);
"""
    + SPACE_INDEXES
    + CHECKPOINTS
)
"""What the guide's statements leave, after the newer Elixir Ramax has added what was missing."""


def etf(content: bytes, *, compressed: bool = False) -> bytes:
    """Encode a binary as an Erlang external term, as `term_to_binary` does."""
    term = b"m" + struct.pack(">I", len(content)) + content
    if compressed:
        return b"\x83P" + struct.pack(">I", len(term)) + zlib.compress(term)
    return b"\x83" + term


def awkward(number: int) -> bytes:
    """Give a payload with NUL bytes and bytes that are not UTF-8, every third one compressed."""
    content = b"\x00\xff\xfe" + random.Random(number).randbytes(20) + b"a" * 100
    return etf(content, compressed=number % 3 == 0)


class ElixirFile:
    """A SQLite file that is filled the way that exqlite fills it: bytes with storage class TEXT."""

    def __init__(self, path: Path, *schema: str) -> None:
        self.path = path
        self.url = f"sqlite+aiosqlite:///{path}"
        self.run(*schema)

    def run(self, *scripts: str) -> None:
        connection = sqlite3.connect(self.path)
        for script in scripts:
            connection.executescript(script)
        connection.close()

    def insert(self, table: str, *rows: dict[str, object]) -> None:
        connection = sqlite3.connect(self.path)
        for row in rows:
            marks = ["CAST(? AS TEXT)" if isinstance(v, bytes) else "?" for v in row.values()]
            connection.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(marks)})",
                list(row.values()),
            )
        connection.commit()
        connection.close()

    def read(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path)
        rows = connection.execute(query).fetchall()
        connection.close()
        return rows

    def event(self, event_id: int, **others: object) -> None:
        self.insert("events", event(event_id, **others))


def event(event_id: int, **others: object) -> dict[str, object]:
    """Make a row of `events`; ms and s as in Elixir."""
    row = {
        "event_id": event_id,
        "entity_id": f"e:{event_id % 3}",
        "event_type": "thing.done",
        "payload": awkward(event_id),
        "timestamp": 1_700_000_000_000 + event_id,
        "causation_id": event_id - 1 or None,
        "correlation_id": None if event_id % 2 else "run-1",
        "created_at": 1_700_000_000,
    }
    return row | others


def pstate(key: str, **others: object) -> dict[str, object]:
    """Make a row of `pstate_entities`."""
    return {"key": key, "value": etf(key.encode() + b"\x00\xff"), "updated_at": 1_700_000_001} | (
        others
    )
