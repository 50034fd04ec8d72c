"""JSON documents as values: what they may hold, following tokens into them, merging."""

import math
from collections.abc import Sequence
from typing import Any, Final

from ramax.errors import DataError, JsonPathError

MISSING: Final[Any] = object()
"""Where there is no value at all; null is a value."""

Tokens = Sequence[str | int]
"""The way to one value: names of members and indexes of items; below 0 from the end."""

_DEEPEST: Final = 250
_INTEGERS: Final = range(-(2**63), 2**64)


def check_json(value: Any, what: str) -> None:
    """Refuse what JSON cannot say.

    Raises:
        DataError: Another type, a key that is no str, NaN or infinity, an int beyond 64 bits, or
            more than 250 levels.
    """
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            raise DataError(what, value, f"nests deeper than {_DEEPEST} levels")
        if type(item) is dict:
            for key in item:
                if type(key) is not str:
                    raise DataError(what, key, "the keys of JSON objects are str")
            waiting += [(each, depth + 1) for each in item.values()]
        elif type(item) is list:
            waiting += [(each, depth + 1) for each in item]
        else:
            _check_scalar(item, what)


def _check_scalar(value: Any, what: str) -> None:
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return
    if kind is int:
        if value not in _INTEGERS:
            raise DataError(what, value, "is an int beyond 64 bits")
    elif kind is float:
        if not math.isfinite(value):
            raise DataError(what, value, "is not in JSON; use null")
    else:
        raise DataError(what, value, f"a {kind.__name__} is not in JSON")


def look(document: Any, tokens: Tokens) -> Any:
    """Return the value that the tokens lead to, or `MISSING`."""
    for token in tokens:
        if type(document) is dict and type(token) is str:
            document = document.get(token, MISSING)
        elif type(document) is list and type(token) is int:
            inside = -len(document) <= token < len(document)
            document = document[token] if inside else MISSING
        else:
            return MISSING
    return document


def with_value(document: Any, tokens: Tokens, value: Any) -> Any:
    """Return the document with another value where the tokens lead; objects on the way are made.

    Raises:
        JsonPathError: The way leads through a scalar, or to an item beyond the end of an array.
    """
    if not tokens:
        return value
    token, rest = tokens[0], tokens[1:]
    if type(token) is str:
        held = {} if document is MISSING else document
        if type(held) is not dict:
            raise JsonPathError(tokens, f"there is no object with a member {token!r}")
        return {**held, token: with_value(held.get(token, MISSING), rest, value)}
    if look(document, [token]) is MISSING:
        raise JsonPathError(tokens, f"there is no array with an item {token}")
    changed = list(document)
    changed[token] = with_value(document[token], rest, value)  # type: ignore[index]
    return changed


def without_value(document: Any, tokens: Tokens) -> Any:
    """Return the document without the value that the tokens, at least one, lead to."""
    parent = look(document, tokens[:-1])
    held: Any = dict(parent) if type(parent) is dict else list(parent)
    del held[tokens[-1]]
    return with_value(document, tokens[:-1], held)


def merged(document: Any, patch: Any) -> Any:
    """Merge as RFC 7396 says: members replace members, null removes, anything else replaces."""
    if type(patch) is not dict:
        return patch
    found = dict(document) if type(document) is dict else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found
