"""One declared entity: bringing stored values to today's shape, and checking written ones."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from ramax.core.annotations import joined
from ramax.core.codec import decode, encode
from ramax.core.declarations import Field, read_class
from ramax.core.fields import MISSING
from ramax.core.limits import check_name, is_key
from ramax.errors import CodecError, MisuseError, SchemaError
from ramax.values import Ref

Mode = Literal["strict", "warn", "off"]
View = Callable[[dict[str, Any]], dict[str, Any]]


class Link(NamedTuple):
    """A reference that a field with an index holds."""

    field: str
    target: str


class Entity:
    """What is declared of the keys that begin with ``<name>:``.

    A value that is a bare `Ref` points to where the entity is; it is let through as it is.
    """

    def __init__(self, name: str, cls: type, mode: Mode) -> None:
        if not isinstance(name, str) or not name or ":" in name:
            raise MisuseError(
                f'an entity type is the text before the first ":" of its keys, got {name!r}'
            )
        if mode not in ("strict", "warn", "off"):
            raise MisuseError(f"mode is 'strict', 'warn' or 'off', got {mode!r}")
        self.name, self.cls, self.mode = name, cls, mode
        self.fields, self._validator = read_class(cls)
        self.names = frozenset(each.name for each in self.fields)
        for each in self.fields:
            if each.options.replaces in self.names:
                raise MisuseError(
                    f"field {each.name!r} of {name!r} replaces {each.options.replaces!r}, "
                    "which is declared as well"
                )
            if each.options.index:
                check_name(each.name, f"name of an indexed field of {name!r}")
        self.replaced = {f.options.replaces: f.name for f in self.fields if f.options.replaces}
        """Names of fields that are no more, and which took their place."""
        self._quick = [(f.name, f.check.problem, f) for f in self.fields]
        self._indexed = tuple(f.name for f in self.fields if f.options.index)

    def __repr__(self) -> str:
        return f"Entity({self.name!r}, {self.cls.__qualname__}, mode={self.mode!r})"

    # -- reading ---------------------------------------------------------------------------------

    def read(self, key: str, value: Any, view: View = dict) -> Any:
        """Bring a stored value to today's shape; what has it already comes back itself.

        Args:
            view: Makes what a migration sees of the entity as it is stored.

        Raises:
            SchemaError: A migration failed; or, where the mode is strict, it does not fit.
        """
        if type(value) is dict:
            if self._fits(value):
                return value
            value = self._migrated(key, value, view)
        if self.mode == "strict" and (error := self.problem(key, value)) is not None:
            raise error
        return value

    def _fits(self, value: dict[str, Any]) -> bool:
        """Say whether there is nothing to do, in one walk over the fields: the usual case."""
        if self._validator is not None:
            return False
        get = value.get
        for name, problem, each in self._quick:
            found = get(name, MISSING)
            if found is MISSING or problem(found) is not None:
                return False
            if each.options.validate is not None and _misfit(each, found) is not None:
                return False
        return not any(name in value for name in self.replaced)

    def _migrated(self, key: str, stored: dict[str, Any], view: View) -> dict[str, Any]:
        new: dict[str, Any] = {}
        for each in self.fields:
            value = stored.get(each.name, MISSING)
            options = each.options
            if options.migrate is None and options.replaces is None:
                if options.has_default and self._is_absent(each, value):
                    new[each.name] = options.new_default()
            elif value is MISSING or _misfit(each, value) is not None:
                found = self._migrate(each, key, value, view(stored))
                if found is not MISSING:
                    new[each.name] = self._own(each, key, found)
        gone = [name for name in self.replaced if name in stored]
        if not new and not gone:
            return stored
        changed = {**stored, **new}
        for name in gone:
            del changed[name]
        return changed

    def _migrate(self, each: Field, key: str, value: Any, stored: dict[str, Any]) -> Any:
        options = each.options
        found = value
        if value is MISSING and options.replaces is not None:
            found = stored.get(options.replaces, MISSING)
        if options.migrate is not None:
            old = None if found is MISSING else found
            try:
                found = options.migrate(old, stored)
            except Exception as error:
                rule = f"its migrate failed: {error!r}"
                raise SchemaError(self.name, each.name, key, old, rule) from error
        if options.has_default and self._is_absent(each, found):
            return options.new_default()
        return found

    def _own(self, each: Field, key: str, value: Any) -> Any:
        """Return a copy that is nobody else's: a migration may give the same object twice."""
        try:
            return decode(encode(value, each.name))
        except CodecError as error:
            rule = f"its migrate gave what cannot be stored: {error}"
            raise SchemaError(self.name, each.name, key, value, rule) from error

    @staticmethod
    def _is_absent(each: Field, value: Any) -> bool:
        return value is MISSING or (value is None and not each.takes_none)

    # -- writing ---------------------------------------------------------------------------------

    def filled(self, value: Any) -> Any:
        """Return a written value with the defaults of what is missing."""
        if type(value) is not dict:
            return value
        new = {
            each.name: each.options.new_default()
            for each in self.fields
            if each.name not in value and each.options.has_default and not each.required
        }
        return {**value, **new} if new else value

    def accept(self, key: str, value: Any) -> tuple[Any, SchemaError | None]:
        """Take a value that is to be stored: fill in defaults, and say what does not fit.

        Raises:
            SchemaError: It does not fit, and the mode is strict.
        """
        filled = self.filled(value)
        problem = None if self.mode == "off" else self.problem(key, filled)
        if problem is not None and self.mode == "strict":
            raise problem
        return filled, problem

    def problem(self, key: str, value: Any) -> SchemaError | None:
        """Say what does not fit what is declared, or None."""
        if type(value) is not dict:
            if type(value) is Ref:
                return None
            return SchemaError(self.name, "", key, value, "must be dict, with the declared fields")
        for each in self.fields:
            found = value.get(each.name, MISSING)
            if found is MISSING:
                if each.required:
                    return SchemaError(self.name, each.name, key, None, "is missing")
            elif (misfit := _misfit(each, found)) is not None:
                path, inside, rule = misfit
                return SchemaError(self.name, joined(each.name, path), key, inside, rule)
        if self._validator is not None and (failed := self._validator(value)) is not None:
            path, rule = failed
            return SchemaError(self.name, path, key, value.get(path, value), rule)
        return None

    # -- references ------------------------------------------------------------------------------

    @property
    def indexed(self) -> tuple[str, ...]:
        """The fields whose references are in the index."""
        return self._indexed

    def links(self, value: Any) -> frozenset[Link]:
        """Return the references in the fields that have an index."""
        if type(value) is not dict:
            return frozenset()
        return frozenset(
            Link(name, ref.key)
            for name in self._indexed
            for ref in _refs(value.get(name))
            if is_key(ref.key)  # one that no key can be is nobody's referrer
        )


def _misfit(each: Field, value: Any) -> tuple[str, object, str] | None:
    found = each.check.problem(value)
    if found is not None:
        return found
    validate = each.options.validate
    if validate is None or (value is None and each.takes_none):
        return None
    try:
        fine = validate(value)
    except Exception as error:
        return "", value, f"its validate said: {error}"
    name = getattr(validate, "__name__", "validate")
    return None if fine else ("", value, f"must pass {name}")


def _refs(value: Any) -> Iterator[Ref]:
    if type(value) is Ref:
        yield value
    elif type(value) is dict:
        for key, each in value.items():
            yield from _refs(key)
            yield from _refs(each)
    elif type(value) in (list, tuple, set, frozenset):
        for each in value:
            yield from _refs(each)
