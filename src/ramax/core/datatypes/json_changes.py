"""The difference of two JSON documents, as changes that make the one from the other.

A change is ``["set", way, value]``, ``["remove", way]`` for the member of an object, or
``["splice", way, start, count, items]``: ``count`` items of an array from ``start`` on give way
to ``items``. Events carry changes, so that a small edit of a large document is a small event.
"""

from typing import Any, Final

from ramax.core.equality import same_value

Change = list[Any]
Way = list[str | int]

_NOT_THERE: Final[Any] = object()


def changes_between(old: Any, new: Any) -> list[Change]:
    """Return the changes that make ``new`` of ``old``; none if they are the same."""
    found: list[Change] = []
    _compare(old, new, [], found)
    return found


def _compare(old: Any, new: Any, way: Way, found: list[Change]) -> None:
    if type(old) is dict and type(new) is dict:
        _compare_objects(old, new, way, found)
    elif type(old) is list and type(new) is list:
        _compare_arrays(old, new, way, found)
    elif not same_value(old, new):
        found.append(["set", way, new])


def _compare_objects(
    old: dict[str, Any], new: dict[str, Any], way: Way, found: list[Change]
) -> None:
    found += [["remove", [*way, key]] for key in old if key not in new]
    for key, value in new.items():
        before = old.get(key, _NOT_THERE)
        if before is _NOT_THERE:
            found.append(["set", [*way, key], value])
        else:
            _compare(before, value, [*way, key], found)


def _compare_arrays(old: list[Any], new: list[Any], way: Way, found: list[Change]) -> None:
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and same_value(old[start], new[start]):
        start += 1
    end = 0
    while end < shorter - start and same_value(old[-1 - end], new[-1 - end]):
        end += 1
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if len(gone) == len(come):
        for offset, (one, other) in enumerate(zip(gone, come, strict=True)):
            _compare(one, other, [*way, start + offset], found)
    else:
        found.append(["splice", way, start, len(gone), come])


def changed(document: Any, changes: list[Change]) -> Any:
    """Return what the changes make of a document, which may be changed in place.

    A change that leads nowhere is left out: what it was about went in another replica before it.
    """
    for change in changes:
        document, _ = _changed(document, change)
    return document


def changed_by_all(document: Any, changes: list[Change]) -> Any:
    """As `changed`, where every change has to lead somewhere.

    Raises:
        LookupError: One does not; the document may be changed in part.
    """
    for change in changes:
        document, led = _changed(document, change)
        if not led:
            raise LookupError(change)
    return document


def _changed(document: Any, change: Change) -> tuple[Any, bool]:
    """Make one change; say whether it led somewhere."""
    kind, way, *rest = change
    if not way and kind == "set":
        return rest[0], True
    target = _at(document, way if kind == "splice" else way[:-1])
    if kind == "splice":
        if led := type(target) is list:
            start, count, items = rest
            target[start : start + count] = items
    elif kind == "set":
        if led := _has(target, way[-1]) or (type(target) is dict and type(way[-1]) is str):
            target[way[-1]] = rest[0]
    elif led := _has(target, way[-1]):
        del target[way[-1]]
    return document, led


def _at(document: Any, way: Way) -> Any:
    """Return what a way leads to; `_NOT_THERE` if it is not there."""
    for token in way:
        if not _has(document, token):
            return _NOT_THERE
        document = document[token]
    return document


def _has(target: Any, token: str | int) -> bool:
    if type(target) is dict:
        return token in target
    return type(target) is list and type(token) is int and 0 <= token < len(target)
