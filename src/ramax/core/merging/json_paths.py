"""JSON documents merge by path: what each side changed, where that meets, and both together.

A path meets another where it is the same, or where one leads into the other's value: who replaces
an object has changed all that is in it. Inserting into an array, or removing from it, changes the
whole array, because it moves what stands behind.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from ramax.core.datatypes.json_changes import Change, changed_by_all, changes_between
from ramax.core.datatypes.json_value import MISSING
from ramax.core.equality import same_value

Path = tuple[str | int, ...]


class DoesNotApplyError(Exception):
    """A change leads to where there is nothing, or something else."""


def delta(old: Any, new: Any) -> list[Change]:
    """Return the changes that make one document of another; `MISSING` is no document."""
    if old is MISSING or new is MISSING:
        return [] if old is new else [["set", [], new]]
    return changes_between(old, new)


def changed_paths(changes: Iterable[Change]) -> set[Path]:
    """Return where changes lead."""
    return {tuple(way) for _, way, *_ in changes}


def meeting(ours: Iterable[Path], theirs: Iterable[Path]) -> list[Path]:
    """Return those of ``theirs`` that meet one of ``ours``, in order; cost grows with the depth."""
    mine = set(ours)
    above = {path[:length] for path in mine for length in range(len(path))}
    found = {
        path
        for path in theirs
        if path in above or any(path[:length] in mine for length in range(len(path) + 1))
    }
    return sorted(found, key=pointer)


def pointer(path: Path) -> str:
    """Write a path as a JSON Pointer (RFC 6901); the empty one is the whole document."""
    return "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in path)


def together(target: Any, steps: Iterable[list[Change]]) -> Any:
    """Make changes to a document that has changes of its own where these do not lead.

    Raises:
        DoesNotApplyError: They cannot be made after all.
    """
    document = deepcopy(target)
    try:
        for changes in steps:
            document = changed_by_all(document, deepcopy(changes))
    except LookupError as error:
        raise DoesNotApplyError from error
    return document


def same(one: Any, other: Any) -> bool:
    """Compare two documents, or their absence."""
    if one is MISSING or other is MISSING:
        return one is other
    return same_value(one, other)
