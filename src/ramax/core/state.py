"""The pstate of one space during one unit of work: packed values below, a mapping above.

Values are packed whenever an event ends, so nothing is ever shared between two keys, two events,
two commands or a caller, and a nested value that was changed in place is found (FINE_PRINT 2).
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple, Protocol, Self

from ramax.core.codec import decode, decode_tagged, encode
from ramax.core.limits import check_key
from ramax.errors import DataError, MisuseError

_NOT_THERE = object()


class Tagged(NamedTuple):
    """A packed value in a format that is only read: rows that came from Elixir."""

    data: bytes
    format: str


Packed = bytes | Tagged


def unpack(packed: Packed) -> Any:
    """Decode a packed value; every call makes a value of its own."""
    return decode(packed) if type(packed) is bytes else decode_tagged(*packed)


class StateUnavailableError(BaseException):
    """A read behind the mapping could not be answered; never for the domain to catch."""


class KeysMissingError(StateUnavailableError):
    """The keys are not in memory; the runtime fetches them and runs the command again."""

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__(*keys)
        self.keys: tuple[str, ...] = tuple(keys)


class Source(Protocol):
    """Where values come from that the unit of work has not seen yet."""

    def load(self, key: str) -> Packed | None:
        """Return the stored value of ``key`` or None; raise StateUnavailableError if it cannot."""
        ...

    def load_all(self) -> Mapping[str, Packed]:
        """Return every stored key of the space with its value."""
        ...


class SpaceState:
    """Packed values of one space: read ones, written ones, and those of the running command."""

    __slots__ = ("_complete", "_known", "_source", "failure", "pending", "written")

    def __init__(self, source: Source, known: dict[str, Packed | None] | None = None) -> None:
        self._source = source
        self._known: dict[str, Packed | None] = {} if known is None else known
        self._complete = False
        self.written: dict[str, bytes | None] = {}
        self.pending: dict[str, bytes | None] = {}
        self.failure: StateUnavailableError | None = None

    @property
    def known(self) -> dict[str, Packed | None]:
        """What was read: key to stored value, None for a key that is not there."""
        return self._known

    def packed(self, key: str) -> Packed | None:
        """Return the value of ``key`` as of now, or None."""
        if key in self.pending:
            return self.pending[key]
        if key in self.written:
            return self.written[key]
        if key in self._known:
            return self._known[key]
        if self._complete:
            return None
        try:
            value = self._source.load(key)
        except StateUnavailableError as failure:
            self.failure = failure
            raise
        self._known[key] = value
        return value

    def keys(self) -> list[str]:
        """Return every key that has a value now, in key order."""
        if not self._complete:
            try:
                stored = self._source.load_all()
            except StateUnavailableError as failure:
                self.failure = failure
                raise
            self._known = {**stored, **self._known}
            self._complete = True
        merged = {**self._known, **self.written, **self.pending}
        return sorted(key for key, value in merged.items() if value is not None)

    def keep(self) -> None:
        """The running command succeeded: its writes become the unit's."""
        self.written.update(self.pending)
        self.pending.clear()

    def discard(self) -> None:
        """The running command failed: nothing of it stays."""
        self.pending.clear()
        self.failure = None


class ReadState(Mapping[str, Any]):
    """The state that a command sees: a dict that cannot be written, in key order.

    Values are the command's own: what it changes inside them goes nowhere.
    """

    __slots__ = ("_iterated", "_live", "_state", "_version")

    def __init__(self, state: SpaceState) -> None:
        self._state = state
        self._live: dict[str, Any] = {}
        self._version = 0
        self._iterated = False

    def _find(self, key: object) -> Any:
        found = self._live.get(key, self)  # type: ignore[call-overload]
        if found is not self:
            return found
        if not _storable(key):
            return _NOT_THERE
        packed = self._state.packed(key)
        if packed is None:
            return _NOT_THERE
        value = self._live[key] = unpack(packed)
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

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not _NOT_THERE

    def _sorted_keys(self) -> list[str]:
        return self._state.keys()

    def __iter__(self) -> Iterator[str]:
        keys, version = self._sorted_keys(), self._version
        self._iterated = True
        for key in keys:
            if self._version != version:
                raise RuntimeError("state changed size during iteration")
            yield key

    def __len__(self) -> int:
        return len(self._sorted_keys())

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of everything, in key order."""
        return dict(self.items())

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        count = len(self._state.known)
        return f"<{type(self).__name__} with {count} keys read>"

    def __setitem__(self, key: str, value: Any) -> None:
        raise MisuseError(f"a command may not write its state (key {key!r}); return events instead")

    def __delitem__(self, key: str) -> None:
        raise MisuseError(f"a command may not delete from its state (key {key!r})")


class WriteState(ReadState, MutableMapping[str, Any]):
    """The state that an applicator changes; behaves as a dict whose order is key order."""

    __slots__ = ()

    def _find(self, key: object) -> Any:
        found = self._live.get(key, self)  # type: ignore[call-overload]
        if found is _NOT_THERE:  # deleted by this event
            return _NOT_THERE
        return found if found is not self else super()._find(key)

    def __setitem__(self, key: str, value: Any) -> None:
        check_key(key, "pstate key")
        if self._iterated and self._find(key) is _NOT_THERE:
            self._version += 1  # as a dict, whose size may not change under an iteration
        self._live[key] = value

    def __delitem__(self, key: str) -> None:
        if self._find(key) is _NOT_THERE:
            raise KeyError(key)
        self._version += 1
        self._live[key] = _NOT_THERE

    def _sorted_keys(self) -> list[str]:
        keys = {*self._state.keys(), *self._live}
        return sorted(key for key in keys if self._live.get(key, self) is not _NOT_THERE)

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

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def settle(self) -> None:
        """End an event: pack what it read or wrote, keep what differs, forget the values.

        Raises:
            CodecError: A value cannot be stored; nothing of the command will be.
        """
        state, pending = self._state, self._state.pending
        for key, value in self._live.items():
            if value is _NOT_THERE:
                pending[key] = None
                continue
            before = _peek(state, key)
            if isinstance(before, Tagged) and unpack(before) == value:
                continue  # only read: rows that came from Elixir keep their bytes
            if (packed := encode(value, _place(key))) != before:
                pending[key] = packed
        self._live.clear()
        self._iterated = False


def _place(key: str) -> str:
    return f"pstate value of {key!r},"


def _peek(state: SpaceState, key: str) -> Packed | None:
    """Return the packed value if it is in memory; a blind write is not worth a read."""
    if key in state.pending:
        return state.pending[key]
    if key in state.written:
        return state.written[key]
    return state.known.get(key)


def _storable(key: object) -> bool:
    """Say whether a key could be in the database at all; a dict lookup never raises for that."""
    if type(key) is not str:
        return False
    try:
        check_key(key, "pstate key")
    except DataError:
        return False
    return True


class DictSource:
    """A source whose stored values are all at hand; used by rebuilds and by tests."""

    def __init__(self, values: Mapping[str, Packed]) -> None:
        self._values = values

    def load(self, key: str) -> Packed | None:
        """Return the value of ``key`` or None."""
        return self._values.get(key)

    def load_all(self) -> Mapping[str, Packed]:
        """Return everything."""
        return self._values
