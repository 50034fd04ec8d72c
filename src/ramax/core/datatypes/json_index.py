"""Keys of an index over a field of JSON documents, in the order of the values.

Null comes first, then false, true, numbers, text. A key may stand for several values that are
close to each other: who reads by it looks at the document as well.
"""

import struct
from typing import Any, Final

from ramax.core.keys import prefix_end

INDEX: Final = "x/"
_END: Final = "\x01"  # below every character of a value
_LOWEST: Final = "\x02"
_LONGEST: Final = 200
_SIGN: Final = 1 << 63


def entry_prefix(field: str) -> str:
    """Return what the keys of the index of a field begin with."""
    return f"{INDEX}{field}{_END}"


def entry_key(field: str, value: Any, name: str) -> str:
    """Return the key of the entry of one document."""
    return f"{entry_prefix(field)}{_form(value)}{_END}{name}"


def is_indexed(value: Any) -> bool:
    """Say whether an index holds such a value: scalars only."""
    return value is None or type(value) in {bool, int, float, str}


def entry_range(field: str, op: str, value: Any) -> tuple[str, str]:
    """Return low and high of keys among which are all whose value is ``op`` ``value``.

    Only values of the same kind compare: ``gt 3`` finds no text.
    """
    prefix = entry_prefix(field)
    if op == "ne":
        return prefix, prefix_end(prefix)
    form = prefix + _form(value)
    kind = form[: len(prefix) + 1]
    return {
        "eq": (form, prefix_end(form)),
        "gt": (form, prefix_end(kind)),
        "gte": (form, prefix_end(kind)),
        "lt": (kind, prefix_end(form)),
        "lte": (kind, prefix_end(form)),
    }[op]


def _form(value: Any) -> str:
    if value is None:
        return "0"
    if type(value) is bool:
        return "1t" if value else "1f"
    if type(value) is str:
        text = value[:_LONGEST].replace("\x00", _LOWEST).replace("\x01", _LOWEST)
        return "3" + text
    return f"2{_ordered(value):016x}"


def _ordered(value: float) -> int:
    """Return 64 bits that order as the numbers do."""
    try:
        number = float(value)
    except OverflowError:
        number = float("inf") if value > 0 else float("-inf")
    bits = int.from_bytes(struct.pack(">d", number + 0.0))  # -0.0 is 0.0
    return bits ^ (2 * _SIGN - 1) if bits & _SIGN else bits | _SIGN
