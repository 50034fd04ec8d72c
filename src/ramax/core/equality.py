"""When two stored values are the same: equal, and of the same types all the way down."""

from typing import Any, Final
from uuid import UUID

_PLAIN: Final = frozenset({type(None), bool, int, str, bytes, UUID})
"""Types of which equal values are the same value."""


def same_value(one: Any, other: Any) -> bool:
    """Compare as Python does, but tell 1, 1.0 and True apart, and 1.0 from 1.00 in Decimals.

    The order of a dict does not matter; NaN is the same as NaN.
    """
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in _PLAIN:
        return bool(one == other)
    if kind is dict:
        return _same_keys(one, other) and all(same_value(one[key], other[key]) for key in one)
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(same_value, one, other))
    if kind is set or kind is frozenset:
        return _same_keys(one, other)
    return repr(one) == repr(other)


def _same_keys(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    theirs = {key: key for key in other}
    return all(key in theirs and same_value(key, theirs[key]) for key in one)
