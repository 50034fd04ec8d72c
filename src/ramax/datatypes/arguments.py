"""Checks of arguments that the data types share."""

from collections.abc import Iterable, Mapping
from typing import Any

from ramax.core.datatypes.datatype import MAX_NAME_BYTES, check_own_name
from ramax.core.limits import check_name, check_sequence
from ramax.errors import DataError


def names(values: Iterable[str], what: str) -> list[str]:
    """Return several names without repeats, same order; one text is not several."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise DataError(what, values, "give several, as a list")
    return list(dict.fromkeys(check_own_name(each, what) for each in values))


def named(values: Mapping[str, Any] | Iterable[tuple[str, Any]], what: str) -> dict[str, Any]:
    """Return names with what belongs to them, from a dict or pairs; the last of equal names counts.

    Raises:
        DataError: It is something else, or a name breaks a rule.
    """
    try:
        found = dict(values)
    except (TypeError, ValueError):
        raise DataError(what, values, "give a dict, or (name, value) pairs") from None
    for name in found:
        check_own_name(name, what)
    return found


def checked_prefix(value: str, what: str) -> str:
    """Return the beginning of names; the empty one is that of every name."""
    if value or not isinstance(value, str):
        check_name(value, what, MAX_NAME_BYTES)
    return value


def bound(value: int | None, what: str) -> int | None:
    """Return a limit: None, or an int from 0 on."""
    if value is not None:
        check_sequence(value, what)
    return value
