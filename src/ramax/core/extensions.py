"""The types that MessagePack lacks: their extension codes, and how each one is written and read.

The codes are the wire format: they are in databases, so none is ever changed or used again for
something else (docs/reference/wire-format.md has the rules and examples).

    code  type                         body
    -1    datetime at UTC              the timestamp of the MessagePack specification
    1     int beyond 64 bits           two's complement, big-endian, as few bytes as it takes
    2     tuple                        MessagePack array of the items
    3     set                          MessagePack array, items sorted by their encoded bytes
    4     frozenset                    as 3
    5     datetime at another offset   ISO 8601 text with the offset
    6     date                         ISO 8601 text
    7     time                         ISO 8601 text, with the offset if it has one
    8     timedelta                    microseconds, written as in 1
    9     Decimal                      its text: exponent, zeros and NaN payload kept
    10    UUID                         16 bytes
    11    Ref                          the key, UTF-8
    12    range                        start, stop and step as text, "0:10:2"
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgpack

from ramax.errors import CodecError
from ramax.values import Ref, to_micros

_INT, _TUPLE, _SET, _FROZENSET, _DATETIME, _DATE, _TIME, _TIMEDELTA = range(1, 9)
_DECIMAL, _UUID, _REF, _RANGE = range(9, 13)

NATIVE: Final[frozenset[Any]] = frozenset({type(None), bool, float, str, bytes})
"""Types that MessagePack has; beside them int within 64 bits, and list and dict."""

CONTAINERS: Final[dict[Any, int]] = {tuple: _TUPLE, set: _SET, frozenset: _FROZENSET}
"""Containers that MessagePack lacks, with their codes."""

CONTAINER_TYPES: Final = {code: kind for kind, code in CONTAINERS.items()}


class UnstorableError(Exception):
    """A part of the value that is being encoded breaks a rule; `encode` names the place."""

    def __init__(self, value: object, rule: str) -> None:
        self.value, self.rule = value, rule
        super().__init__(rule)


def write_scalar(value: Any) -> Any:
    """Turn a value of a scalar type that MessagePack lacks into what the packer writes for it."""
    kind = type(value)
    if kind is datetime:
        return _write_datetime(value)
    if kind not in _WRITERS:
        raise UnstorableError(value, _why_not(value))
    code, write = _WRITERS[kind]
    return msgpack.ExtType(code, write(value))


def read_scalar(code: int, body: bytes) -> Any:
    """Turn the body of a scalar extension back into its value.

    Raises `CodecError` for an unknown code, and whatever the type raises for a wrong body.
    """
    read = _READERS.get(code)
    if read is None:
        raise CodecError("extension code", code, "is not known to this version of ramax")
    return read(body)


def _write_datetime(value: datetime) -> Any:
    offset = value.utcoffset()
    if offset is None:
        raise UnstorableError(
            value, "a naive datetime names no instant; make it aware, as by replace(tzinfo=UTC)"
        )
    if offset:
        return msgpack.ExtType(_DATETIME, value.isoformat().encode())
    seconds, micros = divmod(to_micros(value), 1_000_000)
    return msgpack.Timestamp(seconds, micros * 1000)


def _write_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _read_int(body: bytes) -> int:
    return int.from_bytes(body, "big", signed=True)


def _write_time(value: time) -> bytes:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise UnstorableError(
            value, "a time whose zone has no fixed offset would lose it; use an aware datetime"
        )
    return value.isoformat().encode()


def _write_ref(value: Ref) -> bytes:
    if type(value.key) is not str:
        raise UnstorableError(value, "the key of a Ref must be a str")
    return value.key.encode()


_WRITERS: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    int: (_INT, _write_int),
    date: (_DATE, lambda value: value.isoformat().encode()),
    time: (_TIME, _write_time),
    timedelta: (_TIMEDELTA, lambda value: _write_int(value // timedelta(microseconds=1))),
    Decimal: (_DECIMAL, lambda value: str(value).encode()),
    UUID: (_UUID, lambda value: value.bytes),
    Ref: (_REF, _write_ref),
    range: (_RANGE, lambda value: f"{value.start}:{value.stop}:{value.step}".encode()),
}

_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    _INT: _read_int,
    _DATETIME: lambda body: datetime.fromisoformat(body.decode()),
    _DATE: lambda body: date.fromisoformat(body.decode()),
    _TIME: lambda body: time.fromisoformat(body.decode()),
    _TIMEDELTA: lambda body: timedelta(microseconds=_read_int(body)),
    _DECIMAL: lambda body: Decimal(body.decode()),
    _UUID: lambda body: UUID(bytes=body),
    _REF: lambda body: Ref(body.decode()),
    _RANGE: lambda body: range(*map(int, body.split(b":"))),
}


def _why_not(value: object) -> str:
    name = type(value).__name__
    known: tuple[Any, ...] = (bool, *_WRITERS, *NATIVE, datetime, list, dict, *CONTAINERS)
    if isinstance(value, (bytearray, memoryview)):
        return f"a {name} would come back as bytes; convert it with bytes()"
    for kind in known:
        if isinstance(value, kind):
            return f"a {name} would come back as {kind.__name__}; convert it first"
    if isinstance(value, Mapping):
        return f"a {name} inside a value would come back as dict; convert it with dict()"
    storable = ", ".join(sorted({kind.__name__ for kind in known} - {"NoneType"}))
    return f"a {name} cannot be stored; None and these can, exactly of the type: {storable}"
