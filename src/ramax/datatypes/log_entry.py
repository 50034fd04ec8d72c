"""One entry of a log, as it is given to callers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ramax.core.datatypes import log as rules
from ramax.values import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: ``hash`` covers it and, through ``previous_hash``, all before it."""

    sequence: int
    type: str
    payload: dict[str, Any]
    timestamp: datetime
    hash: bytes
    previous_hash: bytes


def entry_of(sequence: int, row: Any) -> LogEntry:
    """Make an entry of what is stored of it."""
    name, payload, micros, digest, previous = row
    return LogEntry(sequence, name, payload, from_micros(micros), digest, previous)


def hash_of(entry: LogEntry, previous: bytes) -> bytes:
    """Compute the hash that an entry has where ``previous`` is that of the one before it."""
    micros = to_micros(entry.timestamp)
    return rules.entry_hash(entry.sequence, entry.type, micros, entry.payload, previous)
