"""What a class may say of one of its fields beyond the annotation."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ramax.errors import MisuseError

MISSING: Final[Any] = type("MISSING", (), {"__repr__": lambda _: "MISSING"})()
"""Stands for no value at all, which None is not."""

_MUTABLE = (list, dict, set)


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """What `field` was told; ``Annotated[list[str], field(…)]`` says it in any kind of class."""

    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    required: bool | None = None
    validate: Callable[[Any], object] | None = None
    migrate: Callable[[Any, Mapping[str, Any]], Any] | None = None
    replaces: str | None = None
    index: bool = False

    @property
    def has_default(self) -> bool:
        """Whether a missing field is filled in."""
        return self.default is not MISSING or self.default_factory is not None

    def new_default(self) -> Any:
        """Make the value of a missing field."""
        return self.default if self.default_factory is None else self.default_factory()


def field(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    required: bool | None = None,
    validate: Callable[[Any], object] | None = None,
    migrate: Callable[..., Any] | None = None,
    replaces: str | None = None,
    index: bool = False,
) -> Any:
    """Say more of one attribute of an entity class.

    It stands where a default would: ``tags: list[str] = field(migrate=split_tags)``.

    Args:
        default: For where the field is missing, or is None and may not be.
        default_factory: Makes the default, where it is a list, a dict or a set.
        required: Whether whoever writes the entity has to give the field; by default it is
            required if it has no default. With a default the default is then for older values.
        validate: Takes the value and says whether it is fine; it may raise to say why not.
        migrate: Takes what is stored, None where the field is missing, and returns the value of
            today; with a second parameter also the whole entity as it is stored. Called on reads
            while the stored value does not fit the annotation or ``validate``. Pure.
        replaces: The name that the field had before: what is stored there is taken, through
            ``migrate`` if there is one, and the old field goes.
        index: Keep an index of the references in this field, for ``pstate.referrers``.

    Raises:
        MisuseError: The options contradict each other.
    """
    if default is not MISSING and default_factory is not None:
        raise MisuseError("a field takes default or default_factory, not both")
    if isinstance(default, _MUTABLE):
        kind = type(default).__name__
        raise MisuseError(f"all entities would share the default; use default_factory={kind}")
    for name, function in (("validate", validate), ("migrate", migrate)):
        if function is not None and not _is_plain(function):
            raise MisuseError(f"{name} of a field must be a plain function, got {function!r:.80}")
    if default_factory is not None and not callable(default_factory):
        raise MisuseError(f"default_factory must be callable, got {default_factory!r:.80}")
    if replaces is not None and (not isinstance(replaces, str) or not replaces):
        raise MisuseError(f"replaces names the old field, got {replaces!r:.80}")
    migrating = None if migrate is None else _of_two(migrate)
    return FieldOptions(
        default, default_factory, required, validate, migrating, replaces, index=bool(index)
    )


def _is_plain(function: object) -> bool:
    return callable(function) and not inspect.iscoroutinefunction(function)


def _of_two(migrate: Callable[..., Any]) -> Callable[[Any, Mapping[str, Any]], Any]:
    """Let a function of the stored value alone be called as one of value and entity."""
    try:
        signature = inspect.signature(migrate)
    except (TypeError, ValueError):  # some of those written in C: int, str
        return lambda old, _entity: migrate(old)
    try:
        signature.bind(None, {})
    except TypeError:
        try:
            signature.bind(None)
        except TypeError:
            raise MisuseError(f"migrate takes (old) or (old, entity), not {signature}") from None
        return lambda old, _entity: migrate(old)
    needed = [p for p in signature.parameters.values() if p.default is p.empty]
    if len(needed) == 1 and needed[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        return lambda old, _entity: migrate(old)  # its second parameter has a meaning of its own
    return migrate
