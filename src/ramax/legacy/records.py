"""What an old database holds, in the units of the new one and in no table's shape.

Times are UTC microseconds since 1970. Payloads and values are the bytes as they were stored, with
the tag of their format.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be taken over, and the rule it breaks.

    ``row`` is its primary key as stored, text in bytes: (event_id,) of an event, (space_id,) of a
    space or checkpoint, (key,) or (space_id, key) of pstate.
    """

    table: str
    row: tuple[object, ...]
    rule: str

    @property
    def where(self) -> str:
        """Table and id, for people."""
        parts = [
            part.decode(errors="backslashreplace") if isinstance(part, bytes) else str(part)
            for part in self.row
            if part is not None
        ]
        return f"{self.table} {' '.join(parts) or '(without an id)'}"


@dataclass(frozen=True, slots=True)
class LegacySpace:
    """A space to be.

    ``registered`` tells whether the old database names it; else only its rows do, or the caller.
    ``last_sequence`` is the sequence of its newest event. ``renumbered``: the old sequences did not
    grow with the event ids from 1 up, so its events are numbered by their rank instead.
    """

    space_id: int
    space_name: str
    created_at: int
    metadata: Mapping[str, Any] | None
    registered: bool
    last_sequence: int
    event_count: int
    key_count: int
    renumbered: bool


class LegacyEvent(NamedTuple):
    """An event as it is to be: its id, its space and its sequence in it."""

    event_id: int
    space_id: int
    space_sequence: int
    entity_id: str
    event_type: str
    payload: bytes
    format: str
    timestamp: int
    causation_id: int | None
    correlation_id: str | None
    created_at: int | None


class LegacyValue(NamedTuple):
    """A pstate value."""

    space_id: int
    key: str
    value: bytes
    format: str
    updated_at: int | None


class LegacyCheckpoint(NamedTuple):
    """How far a reader of a space is; 0 and 0 if it has seen nothing."""

    space_id: int
    name: str
    last_event_id: int
    last_space_sequence: int
    updated_at: int
