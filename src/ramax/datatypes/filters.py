"""Filters over the metadata of vectors: plain data, so that they travel as JSON.

``{"field": "lang", "op": "eq", "value": "en"}``, ``{"and": [filter, …]}``, ``{"or": [filter, …]}``.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from ramax.errors import VectorError

Filter = Mapping[str, Any]
Test = Callable[[Mapping[str, Any]], bool]

_MISSING: Final[Any] = object()
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
OPERATORS: Final = ("eq", "ne", "in", *_ORDER, "contains")


def compiled(wanted: Filter | None) -> Test | None:
    """Turn a filter into a test of metadata; no filter gives None.

    A field that is missing passes ``ne`` only; values of different kinds are never in order.

    Raises:
        VectorError: It is no filter; the message says what is wrong.
    """
    return None if wanted is None else _compiled(wanted, 0)


def _compiled(wanted: Any, depth: int) -> Test:
    if not isinstance(wanted, Mapping) or depth > 32:  # noqa: PLR2004 - nobody nests deeper
        raise VectorError("filter", wanted, "give {'field', 'op', 'value'}, {'and'} or {'or'}")
    if set(wanted) in ({"and"}, {"or"}):
        [(kind, parts)] = wanted.items()
        if not isinstance(parts, (list, tuple)):
            raise VectorError("filter", wanted, f"{kind!r} takes a list of filters")
        tests = [_compiled(part, depth + 1) for part in parts]
        joined = all if kind == "and" else any
        return lambda metadata: joined(test(metadata) for test in tests)
    if set(wanted) != {"field", "op", "value"} or not isinstance(wanted["field"], str):
        raise VectorError("filter", wanted, "give {'field', 'op', 'value'}, {'and'} or {'or'}")
    return _single(wanted["field"], wanted["op"], wanted["value"])


def _single(field: str, op: str, value: Any) -> Test:
    if op not in OPERATORS:
        raise VectorError("filter", op, f"'op' is one of {', '.join(OPERATORS)}")
    if op == "in" and not isinstance(value, (list, tuple)):
        raise VectorError("filter", value, "'in' takes a list")
    if op in _ORDER:
        compare = _ORDER[op]
        return lambda metadata: _in_order(compare, metadata.get(field, _MISSING), value)
    return {
        "eq": lambda metadata: _equal(metadata.get(field, _MISSING), value),
        "ne": lambda metadata: not _equal(metadata.get(field, _MISSING), value),
        "in": lambda metadata: any(_equal(metadata.get(field, _MISSING), each) for each in value),
        "contains": lambda metadata: _contains(metadata.get(field, _MISSING), value),
    }[op]


def _equal(found: Any, value: Any) -> bool:
    return bool(found == value) and isinstance(found, bool) == isinstance(value, bool)


def _in_order(compare: Callable[[Any, Any], bool], found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return False
    try:
        return bool(compare(found, value))
    except TypeError:  # a number and a text, or nothing at all
        return False


def _contains(found: Any, value: Any) -> bool:
    """Say whether a list holds a value, or a text a part."""
    if isinstance(found, str):
        return isinstance(value, str) and value in found
    return isinstance(found, (list, tuple)) and any(_equal(each, value) for each in found)
