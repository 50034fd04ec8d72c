"""Finding JSON documents by a declared field: the index says where, the document decides."""

import operator
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Any, Final

from ramax.core.datatypes import json as rules
from ramax.core.datatypes.json_index import entry_range, is_indexed
from ramax.core.datatypes.json_value import Tokens, look
from ramax.core.datatypes.versioned import LIVE
from ramax.errors import DataError, JsonPathError
from ramax.runtime.partition import PAGE, Partition

_LONGEST_FIELD: Final = 200
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def check_field(path: str, tokens: Tokens) -> None:
    """Refuse what cannot be indexed: the whole document, or a path of more than 200 bytes."""
    if not tokens:
        raise JsonPathError(path, "an index is over a field, not over the whole document")
    if len(path.encode()) > _LONGEST_FIELD or "\x00" in path or "\x01" in path:
        raise JsonPathError(path, f"an index takes paths of up to {_LONGEST_FIELD} bytes")


async def find(  # noqa: PLR0917 - what a search is made of
    part: Partition, field: str, tokens: Tokens, op: str, value: Any, limit: int | None
) -> list[tuple[str, Any]]:
    """See `JsonDocuments.find`."""
    if field not in (await part.get(rules.INDEXES) or {}):
        raise DataError("field", field, "is not declared; create_index makes it so")
    values = _values(op, value)
    found: dict[str, Any] = {}
    for each in values:
        single = "eq" if op == "in" else op
        async for key, document in _candidates(part, entry_range(field, single, each)):
            if _compares(look(document, tokens), single, each):
                found[key] = document
                if len(found) == limit:
                    return list(found.items())
    return list(islice(found.items(), limit))


def _values(op: str, value: Any) -> list[Any]:
    if op == "in":
        if not isinstance(value, list):
            raise DataError("value", value, "'in' takes a list")
        values = list(value)
    elif op in _COMPARE:
        values = [value]
    else:
        raise DataError("op", op, f"is one of {', '.join([*_COMPARE, 'in'])}")
    for each in values:
        if not is_indexed(each):
            raise DataError("value", each, "only null, booleans, numbers and text compare")
    return values


async def _candidates(part: Partition, bounds: tuple[str, str]) -> AsyncIterator[tuple[str, Any]]:
    keys: list[str] = []
    async for _, key in part.scan(*bounds):
        keys.append(key)
        if len(keys) == PAGE:
            async for pair in _documents(part, keys):
                yield pair
            keys = []
    async for pair in _documents(part, keys):
        yield pair


async def _documents(part: Partition, keys: list[str]) -> AsyncIterator[tuple[str, Any]]:
    found = await part.get_many([LIVE + key for key in keys]) if keys else {}
    for stored, (_, document) in found.items():
        yield stored[len(LIVE) :], document


def _kind(value: Any) -> int:
    return 0 if value is None else 1 if type(value) is bool else 3 if type(value) is str else 2


def _compares(found: Any, op: str, value: Any) -> bool:
    if not is_indexed(found):
        return False
    if _kind(found) != _kind(value):
        return op == "ne"
    if value is None:
        return op in {"eq", "lte", "gte"}
    return _COMPARE[op](found, value)
