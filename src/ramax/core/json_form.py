"""Values in JSON and back: what JSON lacks is an object with one key that begins with `$`.

The table of forms is in docs/reference/wire-format.md.
"""

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ramax.errors import CodecError
from ramax.values import Ref

MAX_JSON_INTEGER: Final = 2**53 - 1
"""Beyond it many readers of JSON lose digits."""

_DECIMAL_BITS: Final = 10_000  # Python bounds how long a decimal text it makes of an int
_MICROSECOND: Final = timedelta(microseconds=1)


def to_json(value: Any) -> Any:
    """Return what `json.dumps` writes as it is, from any value that ramax reads.

    Raises:
        CodecError: A type that no stored value has.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int and -MAX_JSON_INTEGER <= value <= MAX_JSON_INTEGER:
        return value
    if kind is float and math.isfinite(value):
        return value
    if kind is list:
        return [to_json(item) for item in value]
    if kind is dict:
        return _object(value)
    if kind not in _WRITERS:
        raise CodecError("value", value, f"a {kind.__name__} has no form in JSON")
    tag, write = _WRITERS[kind]
    return {tag: write(value)}


def from_json(value: Any) -> Any:
    """Return the value of which `to_json` made this, after `json.loads`.

    Raises:
        CodecError: An object whose only key begins with `$` is none of the known forms.
    """
    if type(value) is list:
        return [from_json(item) for item in value]
    if type(value) is not dict:
        return value
    if len(value) == 1:
        [(tag, body)] = value.items()
        if tag.startswith("$"):
            try:
                return _reader(tag)(body)
            except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
                if isinstance(error, CodecError):
                    raise
                raise CodecError(f"JSON form {tag}", body, str(error)) from error
    return {key: from_json(item) for key, item in value.items()}


# Values nest 256 levels deep: each level may take two frames of Python's call stack, not four. So
# there are loops here where comprehensions, frames of their own in Python 3.11, would be shorter.


def _object(value: dict[Any, Any]) -> dict[str, Any]:
    if all(type(key) is str and not key.startswith("$") for key in value):
        found = {}
        for key, item in value.items():
            found[key] = to_json(item)
        return found
    pairs = []
    for key, item in value.items():
        pairs.append([to_json(key), to_json(item)])
    return {"$dict": pairs}


def _items(value: Any) -> list[Any]:
    return list(map(to_json, value))


def _sorted_items(value: Any) -> list[Any]:
    return sorted(map(to_json, value), key=json.dumps)


def _integer(value: int) -> str:
    return str(value) if value.bit_length() < _DECIMAL_BITS else hex(value)


def _range(value: range) -> list[Any]:
    return [to_json(value.start), to_json(value.stop), to_json(value.step)]


_WRITERS: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    int: ("$int", _integer),
    float: ("$float", repr),
    bytes: ("$bytes", lambda value: b64encode(value).decode()),
    tuple: ("$tuple", _items),
    set: ("$set", _sorted_items),
    frozenset: ("$frozenset", _sorted_items),
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    timedelta: ("$timedelta", lambda value: to_json(value // _MICROSECOND)),
    Decimal: ("$decimal", str),
    UUID: ("$uuid", str),
    Ref: ("$ref", lambda value: value.key),
    range: ("$range", _range),
}


def _read_dict(body: Any) -> dict[Any, Any]:
    found = {}
    for key, item in body:
        found[from_json(key)] = from_json(item)
    return found


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$int": lambda body: int(body, 0),
    "$float": float,
    "$bytes": lambda body: b64decode(body, validate=True),
    "$tuple": lambda body: tuple(map(from_json, body)),
    "$set": lambda body: set(map(from_json, body)),
    "$frozenset": lambda body: frozenset(map(from_json, body)),
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda body: from_json(body) * _MICROSECOND,
    "$decimal": Decimal,
    "$uuid": UUID,
    "$ref": Ref,
    "$range": lambda body: range(*map(from_json, body)),
    "$dict": _read_dict,
}


def _reader(tag: str) -> Callable[[Any], Any]:
    read = _READERS.get(tag)
    if read is None:
        raise CodecError("JSON form", tag, f"must be one of {', '.join(_READERS)}")
    return read
