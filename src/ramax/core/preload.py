"""Preloading: which keys a value leads to along named fields."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from ramax.core.paths import ALL, Step, dotted_steps, literal_steps, step_into
from ramax.core.walk import NOT_THERE, Walk, readable, refs_in
from ramax.errors import DataError
from ramax.values import Ref

Tree: TypeAlias = "dict[Step, Tree]"
"""The fields to follow, and below each the fields of what it leads to."""


def preload_tree(paths: Any) -> Tree:
    """Read a specification of what to preload.

    Args:
        paths: A dotted path ("cards.translations"), a tuple of names, a mapping of a name to what
            follows it (``{"cards": "translations"}``), or several of these in a list.

    Raises:
        DataError: It is something else, or a path cannot be read.
    """
    tree: Tree = {}
    _grow(tree, paths)
    return tree


def _grow(tree: Tree, paths: Any) -> None:
    if paths is None:
        return
    if isinstance(paths, str | tuple):
        steps = dotted_steps(paths) if isinstance(paths, str) else literal_steps(paths)
        for step in steps:
            tree = tree.setdefault(step, {})
    elif isinstance(paths, Mapping):
        for name, below in paths.items():
            _grow(tree.setdefault(literal_steps((name,))[0], {}), below)
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes):
        for each in paths:
            _grow(tree, each)
    else:
        raise DataError("preload", paths, "give a path, a mapping of names, or several in a list")


def preload(key: str, tree: Tree) -> Walk[Any]:
    """Ask for a key and everything that it leads to along the tree, a level at a time.

    A field may hold a reference or any nested collection of them. Returns the value of ``key``,
    or `NOT_THERE`.
    """
    values = dict((yield [key]))
    if key not in values:
        return NOT_THERE
    asked = {key}
    seen: set[tuple[str, int]] = set()
    pending = list(_along(values[key], tree))
    while pending:
        level = readable(target for target, _ in pending if target not in asked)
        if level:
            asked.update(level)
            values.update((yield level))
        following: list[tuple[str, Tree]] = []
        for target, below in pending:
            if target in values and (target, id(below)) not in seen:
                seen.add((target, id(below)))
                following += _along(values[target], below)
        pending = following
    return values[key]


def _along(value: Any, tree: Tree) -> list[tuple[str, Tree]]:
    """Return what a value refers to in the fields of a tree, with the tree that goes on there."""
    if type(value) is Ref:
        return [(value.key, tree)]
    found: list[tuple[str, Tree]] = []
    for step, below in tree.items():
        for child in step_into(value, step):
            found += _collected(child, below)
    return found


def _collected(value: Any, tree: Tree) -> list[tuple[str, Tree]]:
    """Return the references in a field: a nested map that has the next field is gone through."""
    if type(value) is dict and any(step in value or step is ALL for step in tree):
        return _along(value, tree)
    return [(ref.key, tree) for ref in refs_in(value)]
