"""Elixir structs to Python values.

    PState.Ref                        Ref
    DateTime                          aware datetime; the zone is kept as its offset
    NaiveDateTime                     naive datetime, which can be read but not stored again
    Date, Time                        date, time; microseconds without their precision
    Decimal                           Decimal
    MapSet                            set; items that Python cannot hash are frozen as map keys are
    Range                             range

Whatever does not fit (another calendar, the year -1, further fields) stays the dict that it is,
`__struct__` included, as all other structs do.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from ramax.values import Ref

_ISO: Final = "Elixir.Calendar.ISO"
_MAX_DIGITS: Final = 4000
"""Of a Decimal: Python limits how long a text it makes of an int, because it takes n² time."""


class _OddStructError(Exception):
    """The fields are not what this struct has; internal, never leaves this module."""


def struct_value(fields: dict[Any, Any]) -> Any:
    """Turn the fields of a struct, `__struct__` among them, into a value, or give them back."""
    module = fields["__struct__"]
    if type(module) is not str or module not in _STRUCTS:
        return fields
    names, make = _STRUCTS[module]
    if not any(fields.keys() == expected | {"__struct__"} for expected in names):
        return fields
    try:
        return make(fields)
    except (_OddStructError, ValueError, ArithmeticError):
        return fields


def _integers(fields: dict[Any, Any], *names: str) -> list[int]:
    return [_integer(fields[name]) for name in names]


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise _OddStructError
    return value


def _check_calendar(fields: dict[Any, Any]) -> None:
    if fields["calendar"] != _ISO:
        raise _OddStructError


def _microseconds(fields: dict[Any, Any]) -> int:
    pair = fields["microsecond"]
    if type(pair) is not tuple or len(pair) != 2:  # noqa: PLR2004 - microseconds and precision
        raise _OddStructError
    return _integer(pair[0])


def _ref(fields: dict[Any, Any]) -> Ref:
    if type(fields["key"]) is not str:
        raise _OddStructError
    return Ref(fields["key"])


def _date(fields: dict[Any, Any]) -> date:
    _check_calendar(fields)
    year, month, day = _integers(fields, "year", "month", "day")
    return date(year, month, day)


def _time(fields: dict[Any, Any]) -> time:
    _check_calendar(fields)
    hour, minute, second = _integers(fields, "hour", "minute", "second")
    return time(hour, minute, second, _microseconds(fields))


def _naive_datetime(fields: dict[Any, Any]) -> datetime:
    return datetime.combine(_date(fields), _time(fields))


def _datetime(fields: dict[Any, Any]) -> datetime:
    offset = timedelta(seconds=sum(_integers(fields, "utc_offset", "std_offset")))
    return _naive_datetime(fields).replace(tzinfo=timezone(offset) if offset else UTC)


def _decimal(fields: dict[Any, Any]) -> Decimal:
    sign, coefficient = _integer(fields["sign"]), fields["coef"]
    if sign not in {1, -1}:
        raise _OddStructError
    if coefficient == "NaN" or coefficient == "inf":  # noqa: PLR1714 - it may be unhashable
        return Decimal(f"{'-' if sign < 0 else ''}{coefficient}")
    if not 0 <= _integer(coefficient) < 10**_MAX_DIGITS:
        raise _OddStructError
    digits = tuple(map(int, str(coefficient)))
    return Decimal((int(sign < 0), digits, _integer(fields["exp"])))


def _set(fields: dict[Any, Any]) -> set[Any]:
    if type(fields["map"]) is not dict:
        raise _OddStructError
    return set(fields["map"])


def _range(fields: dict[Any, Any]) -> range:
    first, last = _integers(fields, "first", "last")
    step = _integer(fields["step"]) if "step" in fields else (1 if first <= last else -1)
    return range(first, last + (1 if step > 0 else -1), step)


_DATE: Final = frozenset({"calendar", "year", "month", "day"})
_TIME: Final = frozenset({"calendar", "hour", "minute", "second", "microsecond"})
_ZONE: Final = frozenset({"utc_offset", "std_offset", "time_zone", "zone_abbr"})

_STRUCTS: Final[dict[str, tuple[tuple[frozenset[str], ...], Callable[[dict[Any, Any]], Any]]]] = {
    "Elixir.PState.Ref": ((frozenset({"key"}),), _ref),
    "Elixir.DateTime": ((_DATE | _TIME | _ZONE,), _datetime),
    "Elixir.NaiveDateTime": ((_DATE | _TIME,), _naive_datetime),
    "Elixir.Date": ((_DATE,), _date),
    "Elixir.Time": ((_TIME,), _time),
    "Elixir.Decimal": ((frozenset({"sign", "coef", "exp"}),), _decimal),
    "Elixir.MapSet": ((frozenset({"map", "version"}), frozenset({"map"})), _set),
    "Elixir.Range": ((frozenset({"first", "last", "step"}), frozenset({"first", "last"})), _range),
}
