"""JSONPath (RFC 9535) queries over values, by the library python-jsonpath (extra ``jsonpath``)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from ramax.core.codec import MAX_DEPTH
from ramax.errors import DataError, MisuseError

Select = Callable[[list[Any]], list[Any]]

_LEAVES = (bytes, range)
"""Sequences for Python, and for the library; for a query they are single values."""


def query_steps(query: str) -> Callable[[Any], Sequence[Select]]:
    """Read a query; the result makes its steps for a root value.

    Raises:
        DataError: It is not a query of RFC 9535.
        MisuseError: The library is not installed.
    """
    try:
        environment = _environment()
    except ModuleNotFoundError as error:
        raise MisuseError(
            f"the query {query!r} needs the library python-jsonpath: pip install ramax[jsonpath]"
        ) from error
    with _told(query):
        segments = environment.compile(query).segments
    return lambda root: [_select(query, segment, root) for segment in segments]


def _select(query: str, segment: Any, root: Any) -> Select:
    match = _environment().match_class

    def select(values: list[Any]) -> list[Any]:
        nodes = [
            match(filter_context={}, obj=value, parent=None, path="$", parts=(), root=root)
            for value in values
        ]
        with _told(query):
            return [
                node.obj
                for node in segment.resolve(nodes)
                if not isinstance(node.parent.obj, _LEAVES)
            ]

    return select


@contextmanager
def _told(query: str) -> Iterator[None]:
    from jsonpath import JSONPathError  # noqa: PLC0415 - optional

    try:
        yield
    except JSONPathError as error:
        reason = str(error).partition("\n")[0]
        raise DataError("path", query, f"is not a query of RFC 9535: {reason}") from error


@cache
def _environment() -> Any:
    from jsonpath import JSONPathEnvironment  # noqa: PLC0415 - optional

    class Environment(JSONPathEnvironment):
        max_recursion_depth = MAX_DEPTH + 1

    return Environment(strict=True)
