"""The mappings that commands and applicators see: a dict in key order over packed values.

With a prefix a mapping is the part of the state under it, and knows nothing of the rest; without
one it is the application's part.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NoReturn, Self

from ramax.core.codec import encode
from ramax.core.entity import Link
from ramax.core.keys import key_range
from ramax.core.limits import check_key, is_key
from ramax.core.schema import NO_SCHEMA, Schema
from ramax.core.state import Packed, SpaceState, Tagged, unpack
from ramax.errors import CodecError, MisuseError

_NOT_THERE: Any = object()
_UNSEEN: Any = object()
_NO_MIGRATED: dict[str, bytes] = {}
_NO_LINKS: dict[str, frozenset[Link]] = {}
_READ_ONLY = "a command may not change its state (key {!r}); return events instead"


class _Mapped(MutableMapping[str, Any]):
    """What both share: values are decoded when they are first asked for, and then stay the same."""

    __slots__ = ("_linked", "_links", "_live", "_migrated", "_prefix", "_schema", "_state")

    _schema: Schema | None
    _migrated: dict[str, bytes]  # values of an older shape, as they were handed out
    _links: dict[str, frozenset[Link]]  # what they referred to, where that is indexed

    def __init__(self, state: SpaceState, schema: Schema = NO_SCHEMA, prefix: str = "") -> None:
        self._state, self._prefix = state, prefix
        self._live: dict[str, Any] = {}
        self._schema, self._linked = None, False
        self._migrated, self._links = _NO_MIGRATED, _NO_LINKS
        if schema.declares:
            self._schema = schema
            self._migrated = {}
            self._linked = state.index is not None and state.index == schema.index
            self._links = {}

    def _find(self, key: Any) -> Any:
        found = self._live.get(key, _UNSEEN)
        if found is not _UNSEEN:
            return found
        name = _storable(key) if not self._prefix else key
        packed = None if name is None else self._state.packed(self._prefix + name)
        if name is None or packed is None:
            return _NOT_THERE
        try:
            value = self._live[name] = self._unpacked(name, packed)
        except Exception as error:
            self._state.failure = error  # a damaged value is not a missing one
            raise
        return value

    def _unpacked(self, key: str, packed: Packed) -> Any:
        value = unpack(packed)
        if self._schema is not None and (entity := self._schema.entity_of(key)) is not None:
            stored, value = value, entity.read(key, value)
            if value is not stored:
                self._migrated[key] = encode(value, f"migrated value of {key!r},")
                self._state.outdated[key] = self._schema
            if self._linked and entity.indexed:
                self._links[key] = entity.links(value)
        return value

    def __getitem__(self, key: str) -> Any:
        value = self._find(key)
        if value is _NOT_THERE:
            raise KeyError(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``, or ``default``."""
        value = self._find(key)
        return default if value is _NOT_THERE else value

    def __contains__(self, key: Any) -> bool:
        found = self._live.get(key, _UNSEEN)
        if found is not _UNSEEN:
            return found is not _NOT_THERE
        name = _storable(key) if not self._prefix else key
        return name is not None and self._state.packed(self._prefix + name) is not None

    def _sorted_keys(self) -> list[str]:
        found = self._state.keys(*key_range(self._prefix))
        return [key[len(self._prefix) :] for key in found] if self._prefix else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._sorted_keys())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._sorted_keys())

    def __len__(self) -> int:
        return len(self._sorted_keys())

    def under(self, prefix: str) -> list[str]:
        """Return the keys that begin with ``prefix``, in order; reads no others."""
        low, high = key_range(self._prefix + prefix)
        start = len(self._prefix)
        stored = {key[start:] for key in self._state.keys(low, high)}
        live = self._live
        stored.update(key for key in live if key.startswith(prefix))
        return sorted(key for key in stored if live.get(key) is not _NOT_THERE)

    def nearest(self, low: str, high: str, *, down: bool = False) -> str | None:
        """Return the lowest key with low <= key < high, or the highest; reads no others.

        For a command: what an applicator has changed since its event began is not in it yet.
        """
        prefix = self._prefix
        found = self._state.nearest(prefix + low, prefix + high, down=down)
        return None if found is None else found[len(prefix) :]

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of everything, in key order."""
        return {key: self[key] for key in self._sorted_keys()}

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]
        self.update(other)
        return self

    def __repr__(self) -> str:
        count = len(self._state.known)
        return f"<{type(self).__name__} with {count} keys read>"


class ReadState(_Mapped):
    """The state that a command sees: whatever would change a key raises `MisuseError`.

    Values are the command's own: what it changes inside them goes nowhere.
    """

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise MisuseError(_READ_ONLY.format(key))

    def __delitem__(self, key: str) -> NoReturn:
        raise MisuseError(_READ_ONLY.format(key))


class WriteState(_Mapped):
    """The state that an applicator changes; what an event did to it is found when it ends."""

    __slots__ = ("_iterated", "_resized")

    def __init__(self, state: SpaceState, schema: Schema = NO_SCHEMA, prefix: str = "") -> None:
        super().__init__(state, schema, prefix)
        self._resized = 0
        self._iterated = False

    def __setitem__(self, key: str, value: Any) -> None:
        if not self._prefix:
            check_key(key, "pstate key")
        if self._iterated and key not in self:
            self._resized += 1
        self._live[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._resized += 1
        self._live[key if type(key) is str else str.__str__(key)] = _NOT_THERE

    def __iter__(self) -> Iterator[str]:
        keys = self._sorted_keys()
        self._iterated = True
        return self._walk(keys, self._resized)

    def _walk(self, keys: list[str], resized: int) -> Iterator[str]:
        """Fail as a dict does when keys come or go while somebody iterates."""
        for key in keys:
            if self._resized != resized:
                break
            yield key
        if self._resized != resized:
            raise RuntimeError("state changed size during iteration")

    def _sorted_keys(self) -> list[str]:
        live = self._live
        keys = {*super()._sorted_keys(), *live}
        return sorted(key for key in keys if live.get(key) is not _NOT_THERE)

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last pair in key order.

        Raises:
            KeyError: The state is empty.
        """
        keys = self._sorted_keys()
        if not keys:
            raise KeyError("popitem(): state is empty")
        return keys[-1], self.pop(keys[-1])

    def clear(self) -> None:
        """Remove every key."""
        for key in self._sorted_keys():
            del self[key]

    def settle(self) -> None:
        """End an event: pack what it read or wrote, keep what differs, forget the values.

        A value that was brought to today's shape when it was read counts as unchanged: reading
        alone writes nothing.

        Raises:
            CodecError: A value cannot be stored; nothing of the command will be.
            SchemaError: A value does not fit what is declared of its entity.
        """
        live, state, schema, linked = self._live, self._state, self._schema, self._linked
        prefix = self._prefix
        pending, peek = state.pending, state.peek
        for name, value in live.items():
            key = prefix + name
            if value is _NOT_THERE:
                pending[key] = None
            else:
                before = peek(key)
                if type(before) is Tagged and _is_as_read(before, value):
                    continue  # rows that came from Elixir keep their bytes
                packed = encode(value, "pstate value of {!r},", key)
                if packed == before:
                    continue
                new = packed if schema is None else self._declared(schema, key, value, packed)
                if new is None or new == before:
                    continue
                pending[key] = new
            if linked:
                self._link(schema, key, value)
        live.clear()
        if schema is not None:
            self._migrated.clear()
            self._links.clear()
        self._iterated = False

    def _declared(self, schema: Schema, key: str, value: Any, packed: bytes) -> bytes | None:
        """Check a written value and fill in its defaults; None for one that was only read."""
        if packed == self._migrated.get(key):
            return None
        entity = schema.entity_of(key)
        if entity is None:
            return packed
        filled, problem = entity.accept(key, value)
        if problem is not None:
            self._state.complain(problem)
        return packed if filled is value else encode(filled, f"pstate value of {key!r},")

    def _link(self, schema: Schema | None, key: str, value: Any) -> None:
        """Note what a key refers to now, unless that is known to be as before."""
        entity = None if schema is None else schema.entity_of(key)
        if entity is not None and entity.indexed:
            links = entity.links(value)
            if self._links.get(key) != links:
                self._state.pending_links[key] = links


def _is_as_read(before: Tagged, value: Any) -> bool:
    original = unpack(before)
    if original != value:
        return False
    try:  # 1 == True, and a dict equals one in another order
        return encode(original, "") == encode(value, "")
    except CodecError:
        return True  # as a naive datetime: it can be read, and was


def _storable(key: object) -> str | None:
    """Return the str that a key is, or None if it could not be in the database at all.

    A lookup in a dict finds a str by an equal one of a subclass, and never raises.
    """
    if type(key) is not str:
        if not isinstance(key, str):
            return None
        key = str.__str__(key)
    return key if is_key(key) else None
