"""A walk from value to value: says which keys it needs, level by level, and not where they are."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from ramax.core.limits import check_key
from ramax.errors import DataError
from ramax.values import Ref

T = TypeVar("T")

Walk = Generator[Sequence[str], Mapping[str, Any], T]
"""Yields distinct keys and is sent the values of those that exist; never asks for a key twice."""

NOT_THERE: Final[Any] = object()
"""What a walk returns instead of a value where its first key does not exist."""


def refs_in(value: Any) -> Iterator[Ref]:
    """Yield every reference inside a value, in order, however deep in dicts, lists, tuples, sets.

    Keys of dicts are names and not looked into.
    """
    waiting = [value]
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind is Ref:
            yield each
        elif kind is dict:
            waiting.extend(reversed(each.values()))
        elif kind is list or kind is tuple:
            waiting.extend(reversed(each))
        elif kind is set or kind is frozenset:
            waiting.extend(each)


def substitute(value: Any, values: Mapping[str, Any]) -> Any:
    """Return the value with the references to these keys replaced; every container is new.

    In a set a reference stays if what would replace it is not hashable.
    """
    kind = type(value)
    if kind is Ref:
        return values.get(value.key, value)
    if kind is dict:
        return {name: substitute(each, values) for name, each in value.items()}
    if kind is list or kind is tuple:
        return kind(substitute(each, values) for each in value)
    if kind is set or kind is frozenset:
        return kind(_hashable(each, values) for each in value)
    return value


def _hashable(value: Any, values: Mapping[str, Any]) -> Any:
    replaced = substitute(value, values)
    try:
        hash(replaced)
    except TypeError:
        return value
    return replaced


def readable(keys: Iterable[str]) -> list[str]:
    """Return the distinct ones of these that can be keys at all; a reference may say anything."""
    return [key for key in dict.fromkeys(keys) if _can_be_key(key)]


def _can_be_key(key: str) -> bool:
    try:
        check_key(key, "reference")
    except DataError:
        return False
    return True
