"""Rows as they were stored to neutral records, with every value checked on the way.

SQLite holds whatever was bound, whatever the column says; a value of another type, text that is
not UTF-8 or holds NUL (PostgreSQL has none), and times beyond the years 1 to 9999 are refused.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from ramax.core.codec import FORMAT_ETF, FORMAT_JSON, FORMAT_MSGPACK, encode_payload
from ramax.core.limits import MAX_KEY_BYTES, MAX_NAME_BYTES
from ramax.errors import CodecError, LegacyFormatError
from ramax.legacy.records import LegacyEvent, LegacyValue

_ETF_VERSION: Final = 131
_ETF_TAGS: Final = frozenset({70, 77, 80, 88, 89, 90, *range(97, 121)})
_JSON_BEGINNINGS: Final = frozenset(b' \t\r\n"-0123456789[{fnt')
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # seconds: the years 1 and 9999


def format_of(stored: bytes) -> str:
    """Tell the format of stored bytes from how they begin.

    Elixir's terms begin with 131 and a tag, JSON with an ASCII character. MessagePack of ours
    begins otherwise, save for maps with exactly three keys of which the first is a small number,
    and for single small numbers.
    """
    if len(stored) > 1 and stored[0] == _ETF_VERSION and stored[1] in _ETF_TAGS:
        return FORMAT_ETF
    return FORMAT_JSON if stored and stored[0] in _JSON_BEGINNINGS else FORMAT_MSGPACK


def event_of(row: tuple[Any, ...], space_id: int, sequence: int) -> LegacyEvent:
    """Check a row of events and give it its place; `LegacyFormatError` names the column.

    The row: (event_id, entity_id, event_type, payload, timestamp, causation_id, correlation_id,
    created_at).
    """
    event_id, entity_id, event_type, payload, timestamp, causation_id, correlation_id, created = row
    stored = _bytes(payload, "payload")
    return LegacyEvent(
        _integer(event_id, "event_id"),
        space_id,
        sequence,
        _text(entity_id, "entity_id", MAX_KEY_BYTES),
        _text(event_type, "event_type", MAX_NAME_BYTES),
        stored,
        format_of(stored),
        _micros(timestamp, "timestamp", 1000),
        None if causation_id is None else _integer(causation_id, "causation_id"),
        None if correlation_id is None else _text(correlation_id, "correlation_id"),
        None if created is None else _micros(created, "created_at", 1),
    )


def value_of(row: tuple[Any, ...], space_id: int) -> LegacyValue:
    """Check a row (key, value, updated_at) of pstate."""
    key, value, updated_at = row
    stored = _bytes(value, "value")
    return LegacyValue(
        space_id,
        _text(key, "key", MAX_KEY_BYTES),
        stored,
        format_of(stored),
        None if updated_at is None else _micros(updated_at, "updated_at", 1),
    )


def space_of(row: tuple[Any, ...]) -> tuple[int, str, int, bytes | None]:
    """Check a row (space_id, space_name, created_at, metadata) of the registry."""
    space_id, name, created_at, metadata = row
    return (
        _integer(space_id, "space_id"),
        _text(name, "space_name", MAX_KEY_BYTES),
        _micros(created_at, "created_at", 1),
        metadata,
    )


def metadata_of(stored: object) -> Mapping[str, Any] | None:
    """Read the JSON of a space, or nothing; what is no map is kept under "value"."""
    if stored in {None, b""}:
        return None
    try:
        found = json.loads(_bytes(stored, "metadata"))
    except (ValueError, RecursionError) as error:
        raise LegacyFormatError("metadata", stored, f"is not JSON: {error}") from error
    metadata = found if isinstance(found, dict) else {"value": found}
    try:
        encode_payload(metadata, "metadata")
    except CodecError as error:
        raise LegacyFormatError(error.what, error.value, error.rule) from error
    return None if found is None else metadata


def checkpoint_time(row: list[Any]) -> int | None:
    """Check a row (last_event_id, last_space_sequence, updated_at) and return its time."""
    event_id, sequence, updated_at = row
    _integer(event_id, "last_event_id")
    _integer(sequence, "last_space_sequence")
    return None if updated_at is None else _micros(updated_at, "updated_at", 1)


def _integer(value: object, column: str) -> int:
    if type(value) is not int:
        raise LegacyFormatError(column, value, "must be an integer")
    return value


def _micros(value: object, column: str, per_second: int) -> int:
    ticks = _integer(value, column)
    if not _EARLIEST * per_second <= ticks < (_LATEST + 1) * per_second:
        raise LegacyFormatError(column, value, "must be a time in the years 1 to 9999")
    return ticks * (1_000_000 // per_second)


def _bytes(value: object, column: str) -> bytes:
    if type(value) is not bytes:
        raise LegacyFormatError(
            column, value, "must not be empty" if value is None else "must be bytes"
        )
    return value


def _text(value: object, column: str, limit: int | None = None) -> str:
    raw = _bytes(value, column)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise LegacyFormatError(column, raw, "is not UTF-8") from error
    if "\0" in text:
        raise LegacyFormatError(column, text, "must not contain NUL: PostgreSQL cannot store it")
    if limit is not None and len(raw) > limit:
        raise LegacyFormatError(column, text, f"is {len(raw)} UTF-8 bytes; the limit is {limit}")
    return text
