"""Reads classes of every kind that can declare an entity: their fields, as one form.

Plain classes with annotations, dataclasses, TypedDicts, pydantic and msgspec models. The class
is only read: values are, and stay, plain dicts.
"""

import dataclasses
import inspect
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ramax.core.annotations import ANYTHING, Check, accepts_none, check_of, check_of_fields
from ramax.core.fields import MISSING, FieldOptions, field
from ramax.errors import MisuseError

Validator = Callable[[dict[str, Any]], tuple[str, str] | None]
"""A model's own rules: None where they hold, else a field ("" for the whole) and the rule."""


class Field(NamedTuple):
    """One field of an entity, under the name that is stored."""

    name: str
    check: Check
    options: FieldOptions
    required: bool
    takes_none: bool


class Declaration(NamedTuple):
    """What a class says of an entity."""

    fields: tuple[Field, ...]
    validator: Validator | None


class _Raw(NamedTuple):
    """A field as its kind of class has it; a pydantic or msgspec model checks more than we do."""

    name: str
    annotation: Any
    options: FieldOptions


def read_class(cls: type) -> Declaration:
    """Read the fields of a class.

    Raises:
        MisuseError: It has none, or one that cannot be checked; the message names it.
    """
    if not inspect.isclass(cls):
        raise MisuseError(f"an entity is declared by a class, got {cls!r:.80}")
    raws, lenient, validator = _raw_fields(cls)
    if not raws:
        raise MisuseError(f"class {cls.__qualname__} has no annotations, so no fields")
    return Declaration(tuple(_compiled(cls, raw, lenient=lenient) for raw in raws), validator)


def _compiled(cls: type, raw: _Raw, *, lenient: bool) -> Field:
    try:
        check = check_of(raw.annotation, _nested)
    except MisuseError as error:
        if not lenient:  # a model's own validator knows such types
            raise MisuseError(f"field {raw.name!r} of {cls.__qualname__}: {error}") from error
        check = ANYTHING
    options = raw.options
    required = not options.has_default if options.required is None else options.required
    return Field(raw.name, check, options, required, accepts_none(check))


def _raw_fields(cls: type) -> tuple[list[_Raw], bool, Validator | None]:
    if hasattr(cls, "__pydantic_validator__") and hasattr(cls, "model_fields"):
        return _of_pydantic(cls), True, _pydantic_validator(cls)
    if hasattr(cls, "__struct_fields__") and "msgspec" in sys.modules:
        return _of_msgspec(cls), True, _msgspec_validator(cls)
    hints = _hints(cls)
    if is_typeddict(cls):
        optional: frozenset[str] = cls.__optional_keys__  # type: ignore[attr-defined]
        return [_typed(name, hints[name], name in optional) for name in hints], False, None
    if dataclasses.is_dataclass(cls):
        return [_of_dataclass(each, hints) for each in dataclasses.fields(cls)], False, None
    found = [
        _with_notes(name, hint, _default_of(getattr(cls, name, MISSING)))
        for name, hint in hints.items()
        if get_origin(hint) is not ClassVar and hint is not ClassVar
    ]
    return found, False, None


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise MisuseError(
            f"the annotations of {cls.__qualname__} cannot be read: {error}"
        ) from error


def _default_of(value: Any) -> FieldOptions:
    if isinstance(value, FieldOptions):
        return value
    made: FieldOptions = field(default=value)
    return made


def _with_notes(name: str, hint: Any, given: FieldOptions) -> _Raw:
    """Join what the class gives, mostly a default, with ``Annotated[…, field(…)]``."""
    if get_origin(hint) is Annotated:
        for note in get_args(hint)[1:]:
            if isinstance(note, FieldOptions):
                own = note.has_default or not given.has_default
                given = (
                    note
                    if own
                    else dataclasses.replace(
                        note, default=given.default, default_factory=given.default_factory
                    )
                )
    return _Raw(name, hint, given)


def _typed(name: str, hint: Any, optional: bool) -> _Raw:  # noqa: FBT001 - as TypedDict has it
    if get_origin(hint) in (Required, NotRequired):
        hint = get_args(hint)[0]
    raw = _with_notes(name, hint, FieldOptions())
    if optional and raw.options.required is None:
        return raw._replace(options=dataclasses.replace(raw.options, required=False))
    return raw


def _of_dataclass(each: "dataclasses.Field[Any]", hints: dict[str, Any]) -> _Raw:
    if isinstance(each.default, FieldOptions):
        return _with_notes(each.name, hints[each.name], each.default)
    default = MISSING if each.default is dataclasses.MISSING else each.default
    factory = None if each.default_factory is dataclasses.MISSING else each.default_factory
    given: FieldOptions = field(default=default, default_factory=factory)
    return _with_notes(each.name, hints[each.name], given)


def _of_pydantic(cls: Any) -> list[_Raw]:
    hints, found = _hints(cls), []
    for name, info in cls.model_fields.items():
        default = MISSING if info.is_required() or info.default_factory else info.default
        given = _default_or_factory(default, info.default_factory)
        found.append(_with_notes(info.alias or name, hints[name], given))
    return found


def _default_or_factory(default: Any, factory: Callable[[], Any] | None) -> FieldOptions:
    """Let a mutable default be copied each time, as models do."""
    if isinstance(default, (list, dict, set)):
        given: FieldOptions = field(default_factory=partial(deepcopy, default))
    else:
        given = field(default=default, default_factory=factory)
    return given


def _pydantic_validator(cls: Any) -> Validator:
    validate = cls.__pydantic_validator__.validate_python

    def problem(value: dict[str, Any]) -> tuple[str, str] | None:
        try:
            validate(value)
        except ValueError as error:
            first: Any = error.errors()[0]  # type: ignore[attr-defined]
            return ".".join(map(str, first["loc"])), str(first["msg"])
        return None

    return problem


def _of_msgspec(cls: Any) -> list[_Raw]:
    from msgspec import NODEFAULT  # noqa: PLC0415 - only who has it can have such a class
    from msgspec.structs import fields  # noqa: PLC0415

    hints, found = _hints(cls), []
    for each in fields(cls):
        default = MISSING if each.default is NODEFAULT else each.default
        factory = None if each.default_factory is NODEFAULT else each.default_factory
        given = _default_or_factory(default, factory)
        found.append(_with_notes(each.encode_name, hints[each.name], given))
    return found


def _msgspec_validator(cls: Any) -> Validator:
    from msgspec import ValidationError, convert  # noqa: PLC0415

    def problem(value: dict[str, Any]) -> tuple[str, str] | None:
        try:
            convert(value, cls)
        except ValidationError as error:
            rule, _, path = str(error).partition(" - at `$")
            return path.strip("`").removeprefix("."), rule
        return None

    return problem


def _nested(annotation: Any) -> Check | None:
    """Make the check of a class inside an annotation; its fields are checked, not filled in."""
    if not inspect.isclass(annotation) or annotation.__module__ == "builtins":
        return None
    if not (is_typeddict(annotation) or getattr(annotation, "__annotations__", None)):
        return None
    declared = read_class(annotation)
    return check_of_fields(
        annotation.__qualname__,
        {each.name: (each.check, each.required) for each in declared.fields},
    )
