"""Sort keys between any two others: text in base 62, compared byte by byte.

A key is read as a fraction, 0.k1k2k3…, and never ends with the lowest digit, so there is always
room below it. Source: the idea is *fractional indexing*, as described by D. Greenspan (2020).
"""

from typing import Final

from ramax.errors import DataError

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE: Final = {digit: value for value, digit in enumerate(DIGITS)}
_BASE: Final = len(DIGITS)
MAX_KEY_LENGTH: Final = 500
"""Beyond it siblings have to be spread again; five insertions at the same place add one digit."""


def between(low: str | None, high: str | None) -> str:
    """Return a key above ``low`` and below ``high``, as short as can be; None is no bound.

    Raises:
        DataError: ``low`` is not below ``high``, or one of them is no key.
    """
    for bound in (low, high):
        if bound is not None:
            check_sort_key(bound)
    if low is not None and high is not None and low >= high:
        raise DataError("sort keys", (low, high), "the first must be below the second")
    return _between(low or "", high)


def spread(low: str | None, high: str | None, count: int) -> list[str]:
    """Return so many keys in order above ``low`` and below ``high``, evenly and short."""
    if count <= 0:
        return []
    middle = between(low, high)
    before = (count - 1) // 2
    return [*spread(low, middle, before), middle, *spread(middle, high, count - 1 - before)]


def check_sort_key(key: str) -> None:
    """A sort key: base 62 digits, the last one not the lowest, at most 500; else `DataError`."""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH:
        raise DataError("sort key", key, f"must be 1 to {MAX_KEY_LENGTH} characters")
    if key[-1] == DIGITS[0] or any(digit not in _VALUE for digit in key):
        raise DataError("sort key", key, "must be base 62 digits that do not end with 0")


def _between(low: str, high: str | None) -> str:
    shared = 0
    if high is not None:
        while _digit(low, shared) == _VALUE[high[shared]]:
            shared += 1
    prefix = "" if high is None else high[:shared]
    rest = low[shared:]
    first = _digit(rest, 0)
    after = _BASE if high is None else _VALUE[high[shared]]
    if after - first > 1:
        return prefix + DIGITS[(first + after) // 2]
    if high is not None and len(high) > shared + 1:
        return prefix + high[shared]
    return prefix + DIGITS[first] + _between(rest[1:], None)


def _digit(key: str, position: int) -> int:
    return _VALUE[key[position]] if position < len(key) else 0
