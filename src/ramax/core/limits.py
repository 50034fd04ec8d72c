"""What keys, names, ids, sequences and sizes may be, checked before anything is written.

The bounds keep every indexed column below the 2,704 bytes at which PostgreSQL refuses an index
entry. Text is measured in UTF-8 bytes. Types are exact: a str subclass, such as a StrEnum, would
come back as str, so it is turned down rather than changed.
"""

import re
from typing import Any, Final, NoReturn

from ramax.core.keys import FIRST
from ramax.errors import CodecError, DataError, SpaceNameError

MAX_KEY_BYTES: Final = 1024
MAX_NAME_BYTES: Final = 255
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
MAX_VERSION: Final = 2**15 - 1
MAX_INTEGER: Final = 2**63 - 1
"""The largest sequence and id: what both databases hold as a signed 64-bit integer."""

RESERVED_PREFIX: Final = "_system_"
"""Spaces of ramax itself have names that begin so."""

_SPACE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def check_key(key: Any, what: str) -> None:
    """A pstate key: 1 to 1,024 UTF-8 bytes, no NUL, not ramax's own; else `DataError`."""
    _check_text(key, what, MAX_KEY_BYTES)
    if key < FIRST:
        raise DataError(what, key, "keys that begin with U+0001 are those of ramax's data types")


def is_key(text: str) -> bool:
    """Say whether a text could be a pstate key."""
    try:
        check_key(text, "pstate key")
    except DataError:
        return False
    return True


def check_entity_id(value: Any, what: str) -> None:
    """An entity id: the bounds of a key, since it usually is one; else `DataError`."""
    _check_text(value, what, MAX_KEY_BYTES)


def check_name(value: Any, what: str, limit: int = MAX_NAME_BYTES) -> None:
    """An event type or checkpoint name: 1 to ``limit`` UTF-8 bytes, no NUL; else `DataError`."""
    _check_text(value, what, limit)


def check_sequence(value: Any, what: str) -> None:
    """A sequence or position: an int from 0 to 2**63 - 1; else `DataError`."""
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise DataError(what, value, "must be an int from 0 to 2**63 - 1")


def check_optional_id(causation_id: Any, correlation_id: Any) -> None:
    """The ids of an event's origin; else `DataError`.

    ``causation_id`` is None or an event id (an int from 1 to 2**63 - 1), ``correlation_id`` is
    None or 1 to 255 UTF-8 bytes of text.
    """
    if causation_id is not None and (
        type(causation_id) is not int or not 1 <= causation_id <= MAX_INTEGER
    ):
        raise DataError(
            "causation_id", causation_id, "must be None or an event id, an int from 1 to 2**63 - 1"
        )
    if correlation_id is not None:
        _check_text(correlation_id, "correlation_id", MAX_NAME_BYTES)


def check_version(value: Any, what: str) -> None:
    """The version of an event: an int from 1 to 32,767; else `DataError`."""
    if type(value) is not int or not 1 <= value <= MAX_VERSION:
        raise DataError(what, value, f"must be an int from 1 to {MAX_VERSION:,}")


def check_payload_size(data: bytes, what: str) -> None:
    """Encoded bytes: at most 16 MiB; else `CodecError`."""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise CodecError(
            what, data, f"is {len(data):,} bytes encoded; the limit is {MAX_PAYLOAD_BYTES:,}"
        )


def validate_space_name(name: Any) -> str:
    """Return the name of a new space, or raise `SpaceNameError` naming the rule it breaks.

    Spaces that exist already, as imported ones, keep whatever name they have.
    """
    if type(name) is not str:
        raise SpaceNameError(name, f"must be a str, not {type(name).__name__}")
    if name.startswith(RESERVED_PREFIX):
        raise SpaceNameError(name, f"names that begin with {RESERVED_PREFIX!r} are reserved")
    if not _SPACE_NAME.fullmatch(name):
        raise SpaceNameError(
            name, "must be 1 to 64 characters a-z, 0-9, '_' or '-', the first one a letter"
        )
    return name


def _check_text(value: Any, what: str, limit: int) -> None:
    if type(value) is not str:
        raise DataError(what, value, f"must be a str, not {type(value).__name__}")
    if not (0 < len(value) <= limit) or "\0" in value:
        _reject_text(value, what, limit)
    if not value.isascii():
        _check_encoded(value, what, limit)


def _check_encoded(value: str, what: str, limit: int) -> None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise DataError(what, value, "text with a lone surrogate is not UTF-8") from None
    if size > limit:
        raise DataError(what, value, f"is {size} UTF-8 bytes; the limit is {limit}")


def _reject_text(value: str, what: str, limit: int) -> NoReturn:
    if not value:
        raise DataError(what, value, "must not be empty")
    if "\0" in value:
        raise DataError(what, value, "must not contain NUL: PostgreSQL cannot store it")
    raise DataError(what, value, f"is longer than {limit} UTF-8 bytes")
