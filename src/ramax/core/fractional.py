"""Sort keys between any two others: text in base 62, compared byte by byte.

A key is read as a fraction, 0.k1k2k3…, and never ends with the lowest digit, so there is always
room below it. Keys at an open end count: ``V``, ``V1``, ``V2`` … ``Vz``, ``W01`` … upwards, ``Uz``
… downwards, where the first digit says how many follow. So a list that only grows at its ends has
keys of a few digits. Source: the idea is *fractional indexing*, as described by D. Greenspan
(2020).
"""

import re
from typing import Final

from ramax.errors import DataError

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE: Final = {digit: value for value, digit in enumerate(DIGITS)}
_BASE: Final = len(DIGITS)
_MIDDLE: Final = _BASE // 2
_WIDEST: Final = 8  # digits of a number that is counted; nobody comes to the end of them
MAX_KEY_LENGTH: Final = 500
"""Beyond it siblings have to be spread again; five insertions at the same place add one digit."""


_IS_KEY: Final = re.compile("[0-9A-Za-z]*[1-9A-Za-z]").fullmatch


def between(low: str | None, high: str | None) -> str:
    """Return a short key above ``low`` and below ``high``; None is no bound.

    Raises:
        DataError: ``low`` is not below ``high``, or one of them is no key.
    """
    for bound in (low, high):
        if bound is not None:
            check_sort_key(bound)
    if low is not None and high is not None and low >= high:
        raise DataError("sort keys", (low, high), "the first must be below the second")
    return _inside(low, high)


def _inside(low: str | None, high: str | None) -> str:
    if high is None:
        return DIGITS[_MIDDLE] if low is None else _after(low)
    if low is None:
        return _before(high)
    return _between(low, high)


def spread(low: str | None, high: str | None, count: int) -> list[str]:
    """Return so many keys in order above ``low`` and below ``high``, evenly and short.

    Between long bounds they may be longer than `MAX_KEY_LENGTH`: the caller looks at them.
    """
    if count <= 0:
        return []
    if high is None and (low is None or _VALUE[low[0]] < _MIDDLE + _WIDEST):
        found = [_inside(low, None)]
        while len(found) < count:
            found.append(_after(found[-1]))
        return found
    middle = _inside(low, high)
    before = (count - 1) // 2
    return [*spread(low, middle, before), middle, *spread(middle, high, count - 1 - before)]


def check_sort_key(key: str) -> None:
    """A sort key: base 62 digits, the last one not the lowest, at most 500; else `DataError`."""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH:
        raise DataError("sort key", key, f"must be 1 to {MAX_KEY_LENGTH} characters")
    if not _IS_KEY(key):
        raise DataError("sort key", key, "must be base 62 digits that do not end with 0")


def _after(low: str) -> str:
    """Count up: the next number of as many digits, or the first one of more."""
    head = _VALUE[low[0]]
    width = head - _MIDDLE + 1
    if width < 1:
        return DIGITS[_MIDDLE]
    if width > _WIDEST:
        return _between(low, None)
    if (counted := _stepped(low, width, 1)) is not None:
        return low[0] + counted
    return DIGITS[head + 1] + DIGITS[0] * width + DIGITS[1]


def _before(high: str) -> str:
    """Count down, as `_after` does up."""
    head = _VALUE[high[0]]
    width = _MIDDLE - head
    if width < 1:
        return DIGITS[_MIDDLE - 1] + DIGITS[-1] if high <= DIGITS[_MIDDLE] else DIGITS[_MIDDLE]
    if width > _WIDEST:
        return _between("", high)
    if (counted := _stepped(high, width, -1)) is not None:
        return high[0] + counted
    return DIGITS[head - 1] + DIGITS[-1] * (width + 1)


def _stepped(key: str, width: int, step: int) -> str | None:
    """Return the digits after the first one, moved on to a number that does not end with 0.

    None where there is no such number of ``width`` digits, or it would be ``key``'s other side.
    """
    digits = [_digit(key, place) for place in range(1, width + 1)]
    if step < 0 and len(key) > width + 1 and digits[-1]:
        return "".join(DIGITS[digit] for digit in digits)  # what follows in the key is above it
    place = width - 1
    while place >= 0:
        digits[place] += step
        if 0 <= digits[place] < _BASE:
            break
        digits[place] %= _BASE
        place -= 1
    if place < 0:
        return None
    if not digits[-1]:
        return _stepped(key[0] + "".join(DIGITS[digit] for digit in digits), width, step)
    return "".join(DIGITS[digit] for digit in digits)


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
