"""Paths into values: ``cards.c1.front``, ``tags[0]``, ``cards["c.1"]``, ``cards.*.front``."""

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

from ramax.core.json_path import query_steps
from ramax.core.walk import NOT_THERE, Walk, readable
from ramax.errors import CircularRefError, DataError
from ramax.values import Ref


class Wildcard(Enum):
    """The step to everything that a value holds."""

    ALL = "*"


ALL: Final = Wildcard.ALL
Step: TypeAlias = str | int | Wildcard
Select: TypeAlias = Callable[[list[Any]], list[Any]]
"""One step: from values to those that are one step further."""

_TOKEN = re.compile(
    r"""(?P<name>[^.\[\]]+)
    | \[ (?: (?P<index>-?\d{1,15}) | (?P<all>\*)
           | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)' ) \]""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def dotted_steps(path: str) -> tuple[Step, ...]:
    """Read a dotted path; a name may hold anything but ``.``, ``[`` and ``]``, or is quoted.

    Raises:
        DataError: It breaks off, or something stands where a step should.
    """
    steps: list[Step] = []
    position = 0
    while position < len(path) or not steps:
        bracket = path.startswith("[", position)
        if steps and not bracket:
            if path[position] != ".":
                raise _unreadable(path, position, "a '.' or '['")
            position += 1
        token = _TOKEN.match(path, position)
        if token is None or (token["name"] is None) != bracket:
            raise _unreadable(path, position, 'a name, [number], [*] or ["quoted name"]')
        steps.append(_step(token))
        position = token.end()
    return tuple(steps)


def _step(token: re.Match[str]) -> Step:
    if token["all"] or token["name"] == "*":
        return ALL
    if token["index"]:
        return int(token["index"])
    if token["name"] is not None:
        return token["name"]
    quoted = token["double"] if token["double"] is not None else token["single"]
    return _ESCAPED.sub(r"\1", quoted)


def _unreadable(path: str, position: int, wanted: str) -> DataError:
    return DataError("path", path, f"at character {position} there should be {wanted}")


def literal_steps(path: Sequence[Any]) -> tuple[Step, ...]:
    """Return a path that is given as its steps, each a name or an index, taken as they are.

    Raises:
        DataError: A step is neither.
    """
    for step in path:
        if type(step) not in {str, int}:
            raise DataError("path", path, f"its steps are str or int, not {type(step).__name__}")
    return tuple(path)


def step_into(value: Any, step: Step) -> list[Any]:
    """Return what is at one step inside a value: nothing, one, or all where the step says so.

    A number finds an item of a list, or a key of a dict that is this number or its text.
    """
    kind = type(value)
    if step is ALL:
        if kind is dict:
            return list(value.values())
        return list(value) if kind in {list, tuple, set, frozenset} else []
    if kind is dict:
        return [value[name] for name in _spellings(step) if name in value][:1]
    if kind is list or kind is tuple:
        for index in _spellings(step):
            if type(index) is int and -len(value) <= index < len(value):
                return [value[index]]
    return []


def _spellings(step: Any) -> tuple[Any, ...]:
    if type(step) is int:
        return step, str(step)
    if step.isascii() and step.isdigit():
        return step, int(step)
    return (step,)


class Path:
    """A path that was understood; ``plural`` says that it may find several values."""

    def __init__(self, path: Any) -> None:
        if isinstance(path, str) and path.startswith("$"):
            self.plural = True
            self.selects: Callable[[Any], Sequence[Select]] = query_steps(path)
            return
        if not isinstance(path, str | tuple | list):
            raise DataError("path", path, "give a str, or a tuple of steps")
        steps = dotted_steps(path) if isinstance(path, str) else literal_steps(path)
        self.plural = ALL in steps
        selects = [_select(step) for step in steps]
        self.selects = lambda _root: selects


def _select(step: Step) -> Select:
    return lambda values: [found for value in values for found in step_into(value, step)]


def at_path(key: str, path: Path, *, follow: bool) -> Walk[list[Any]]:
    """Ask for a key and go along the path; with ``follow`` through references, all at once.

    Returns:
        What was found, in order; empty if the key or the path leads nowhere.

    Raises:
        CircularRefError: A chain of keys whose values are nothing but references loops.
    """
    known = dict((yield [key]))
    if key not in known:
        return []
    values = [known[key]]
    if follow:
        values = yield from _followed(values, known)
    for select in path.selects(values[0]):
        values = select(values)
        if follow:
            values = yield from _followed(values, known)
    return values


def _followed(values: list[Any], known: dict[str, Any]) -> Walk[list[Any]]:
    """Put what they refer to in the place of references, chains of them included."""
    found = list(values)
    chains: list[list[str]] = [[] for _ in found]
    while True:
        wanted = readable(v.key for v in found if type(v) is Ref and v.key not in known)
        if wanted:
            known.update({**dict.fromkeys(wanted, NOT_THERE), **(yield wanted)})
        moved = False
        for position, value in enumerate(found):
            if type(value) is not Ref or known.get(value.key, NOT_THERE) is NOT_THERE:
                continue  # a value, or dangling
            chain = chains[position]
            if value.key in chain:
                raise CircularRefError([*chain[chain.index(value.key) :], value.key])
            chain.append(value.key)
            found[position] = known[value.key]
            moved = True
        if not moved:
            return found
