"""Annotations as checks of values: what does not fit, where in it, and by which rule."""

import types
from collections import abc
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin
from uuid import UUID

from ramax.errors import MisuseError
from ramax.values import Ref


class Problem(NamedTuple):
    """What does not fit: a path inside the value ("" is the value itself), what is there, why."""

    path: str
    value: object
    rule: str


class Check(NamedTuple):
    """An annotation made ready: what it is called, and the function that looks at values."""

    name: str
    problem: Callable[[Any], Problem | None]


Nested = Callable[[Any], Check | None]
"""Makes the check of a class inside an annotation; None where it is none that it knows."""

ANYTHING = Check("anything", lambda _: None)

_EXACT: tuple[type, ...] = (str, int, bool, bytes, datetime, date, Decimal, UUID)
_CONTAINERS: dict[Any, type] = {
    list: list,
    set: set,
    frozenset: frozenset,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Set: set,
    abc.MutableSet: set,
}
_MAPS = (dict, abc.Mapping, abc.MutableMapping)


def check_of(annotation: Any, nested: Nested) -> Check:
    """Make the check of an annotation.

    Raises:
        MisuseError: It is none that values can be checked by.
    """
    if annotation in (Any, object):
        return ANYTHING
    if annotation in (None, type(None)):
        return Check("None", lambda v: None if v is None else Problem("", v, "must be None"))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(arguments, nested)
    if origin in (Union, types.UnionType):
        return _union([check_of(each, nested) for each in arguments])
    if origin is Literal:
        return _literal(arguments)
    found = _container(origin or annotation, arguments, nested) or _scalar(annotation)
    found = found or nested(annotation)
    if found is None:
        raise MisuseError(
            f"an entity cannot have the annotation {annotation!r}: use str, int, float, bool, "
            'bytes, datetime, date, Decimal, UUID, list, dict, set, tuple, Ref["type"], None, '
            "Literal, Any, unions of them, or classes with annotations"
        )
    return found


def _annotated(arguments: tuple[Any, ...], nested: Nested) -> Check:
    base, *notes = arguments
    kinds = [note for note in notes if isinstance(note, str)]
    if base is Ref and kinds:
        return _ref_to(kinds[0])
    return check_of(base, nested)


def _ref_to(entity: str) -> Check:
    if not entity or ":" in entity:
        raise MisuseError(f'Ref[{entity!r}] must name an entity type, without ":"')
    start = f"{entity}:"
    rule = f"must be a Ref to {entity}"

    def problem(value: Any) -> Problem | None:
        fits = type(value) is Ref and value.key.startswith(start)
        return None if fits else Problem("", value, rule)

    return Check(f"Ref to {entity}", problem)


def _scalar(annotation: Any) -> Check | None:
    if annotation is float:  # as type checkers have it, an int is fine as well
        return Check("float", lambda v: _unless(type(v) in (float, int), v, "must be float"))
    if annotation is Ref:
        return Check("Ref", lambda v: _unless(type(v) is Ref, v, "must be a Ref"))
    if annotation in _EXACT:
        rule = f"must be {annotation.__name__}"
        return Check(
            annotation.__name__,
            lambda v: None if type(v) is annotation else Problem("", v, rule),
        )
    return None


def _unless(fits: bool, value: object, rule: str) -> Problem | None:  # noqa: FBT001 - the verdict
    return None if fits else Problem("", value, rule)


def _literal(values: tuple[Any, ...]) -> Check:
    allowed = [(type(each), each) for each in values]
    rule = f"must be one of {', '.join(map(repr, values))}"
    return Check(rule, lambda v: _unless((type(v), v) in allowed, v, rule))


def _union(choices: list[Check]) -> Check:
    rule = f"must be {' or '.join(each.name for each in choices)}"

    def problem(value: Any) -> Problem | None:
        found = [each.problem(value) for each in choices]
        if None in found:
            return None
        deep = [each for each in found if each is not None and each.path]
        return deep[0] if len(deep) == 1 else Problem("", value, rule)  # the one that comes near

    return Check(rule.removeprefix("must be "), problem)


def _container(kind: Any, arguments: tuple[Any, ...], nested: Nested) -> Check | None:
    if kind in _MAPS:
        keys, values = arguments or (Any, Any)
        return _map(check_of(keys, nested), check_of(values, nested))
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return _tuple([check_of(each, nested) for each in arguments])
    if kind is tuple:
        return _items(tuple, check_of(arguments[0] if arguments else Any, nested))
    if kind in _CONTAINERS:
        return _items(_CONTAINERS[kind], check_of(arguments[0] if arguments else Any, nested))
    return None


def _items(kind: type, item: Check) -> Check:
    rule = f"must be {kind.__name__}"
    ordered = kind in (list, tuple)

    def problem(value: Any) -> Problem | None:
        fits: bool = type(value) is kind
        return inside(value) if fits else Problem("", value, rule)

    def inside(values: Iterable[Any]) -> Problem | None:
        if item is not ANYTHING:
            for at, each in enumerate(values):
                if (found := item.problem(each)) is not None:
                    return found._replace(path=joined(f"[{at}]" if ordered else "", found.path))
        return None

    return Check(kind.__name__, problem)


def _tuple(items: list[Check]) -> Check:
    rule = f"must be a tuple of {len(items)}"

    def problem(value: Any) -> Problem | None:
        if type(value) is not tuple or len(value) != len(items):
            return Problem("", value, rule)
        for at, (item, each) in enumerate(zip(items, value, strict=True)):
            if (found := item.problem(each)) is not None:
                return found._replace(path=joined(f"[{at}]", found.path))
        return None

    return Check("tuple", problem)


def _map(keys: Check, values: Check) -> Check:
    def problem(value: Any) -> Problem | None:
        if type(value) is not dict:
            return Problem("", value, "must be dict")
        for key, each in value.items():
            if (found := keys.problem(key)) is not None:
                return found._replace(path="", rule=f"key {found.rule}")
            if (found := values.problem(each)) is not None:
                return found._replace(path=joined(f"[{key!r}]", found.path))
        return None

    return Check("dict", problem)


def joined(path: str, rest: str) -> str:
    """Return the path of something inside what ``path`` names."""
    return f"{path}.{rest}" if path and rest and not rest.startswith("[") else path + rest


def accepts_none(check: Check) -> bool:
    """Say whether None fits."""
    return check.problem(None) is None


def check_of_fields(name: str, checks: Mapping[str, tuple[Check, bool]]) -> Check:
    """Make the check of a class inside an annotation.

    Args:
        checks: For each field its check, and whether it has to be there.
    """

    def problem(value: Any) -> Problem | None:
        if type(value) is not dict:
            return Problem("", value, f"must be dict, with the fields of {name}")
        for field, (check, required) in checks.items():
            if field in value:
                if (found := check.problem(value[field])) is not None:
                    return found._replace(path=joined(field, found.path))
            elif required:
                return Problem(field, None, "is missing")
        return None

    return Check(name, problem)
