"""Paths and patches of JSON documents by RFC 9535 and RFC 6902; the library is python-jsonpath."""

import copy
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from ramax.core.datatypes.json_value import MISSING, Tokens, check_json
from ramax.errors import JsonPatchError, JsonPathError, MisuseError, PatchTestError

ROOT: Final = "$"
_LONGEST: Final = 1000
_OPERATIONS: Final = {"add", "remove", "replace", "move", "copy", "test"}


@cache
def _library() -> Any:
    try:
        return import_module("jsonpath")
    except ImportError as error:
        raise MisuseError("JSON paths and patches need: pip install 'ramax[jsonpath]'") from error


@cache
def _environment() -> Any:
    return _library().JSONPathEnvironment(strict=True)


@lru_cache(maxsize=1024)
def _compiled(path: str) -> Any:
    if len(path) > _LONGEST:
        raise JsonPathError(path, f"is longer than {_LONGEST} characters")
    try:
        return _environment().compile(path)
    except _library().JSONPathError as error:
        raise JsonPathError(path, f"is no RFC 9535 path: {_reason(error)}") from error


def _reason(error: BaseException) -> object:
    return error.args[0] if error.args else type(error).__name__  # its str() may fail itself


def way(path: str) -> Tokens:
    """Return the tokens of a path to one value, as ``$.a['b c'][0]``.

    Raises:
        JsonPathError: It is no path, or may lead to several values.
    """
    if path == ROOT:
        return ()
    query = _query(path)
    if not query.singular_query():
        raise JsonPathError(path, "may lead to several values; here it must lead to one")
    selectors = [segment.selectors[0] for segment in query.segments]
    return tuple(s.name if hasattr(s, "name") else s.index for s in selectors)


def matches(path: str, document: Any) -> list[Any]:
    """Return every value that a path leads to, in the document's order.

    Raises:
        JsonPathError: It is no path.
    """
    found: list[Any] = _query(path).findall(document)
    return found


def _query(path: str) -> Any:
    if type(path) is not str:
        raise JsonPathError(path, f"must be a str, not {type(path).__name__}")
    return _compiled(path)


def checked_patch(operations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a copy of a JSON patch that is one.

    Raises:
        JsonPatchError: It is not; the message says which operation.
        DataError: A value is not in JSON.
    """
    if isinstance(operations, (str, bytes, Mapping)) or not isinstance(operations, Iterable):
        raise JsonPatchError(operations, "give a list of operations")
    found: list[dict[str, Any]] = []
    for operation in operations:
        if not isinstance(operation, Mapping) or operation.get("op") not in _OPERATIONS:
            raise JsonPatchError(operation, f"'op' must be one of {sorted(_OPERATIONS)}")
        check_json(operation.get("value"), "value of a JSON patch")
        found.append(copy.deepcopy(dict(operation)))
        _parsed(found[-1])
    return found


def patched(key: str, document: Any, operations: list[dict[str, Any]]) -> Any:
    """Apply a checked patch to a document, which may be changed in place; all of it or nothing.

    Raises:
        JsonPatchError: An operation does not fit the document, or there is none.
        PatchTestError: A ``test`` failed.
    """
    if document is MISSING:
        raise JsonPatchError(operations, f"there is no document {key!r}")
    for operation in operations:
        if operation["op"] == "test":
            _test(key, document, operation)
            continue
        try:
            document = _parsed(copy.deepcopy(operation)).apply(document)
        except _library().JSONPatchError as error:
            raise JsonPatchError(operation, f"does not fit the document: {error}") from error
    return document


def _parsed(operation: dict[str, Any]) -> Any:
    try:
        return _library().JSONPatch([operation], unicode_escape=False)
    except _library().JSONPatchError as error:
        raise JsonPatchError(operation, str(error)) from error


def _test(key: str, document: Any, operation: dict[str, Any]) -> None:
    pointer = _library().JSONPointer(operation["path"], unicode_escape=False)
    if not _equal(pointer.resolve(document, default=MISSING), operation["value"]):
        raise PatchTestError(key, operation)


def _equal(one: Any, other: Any) -> bool:
    """Compare as RFC 6902 says: numbers by value, and true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
