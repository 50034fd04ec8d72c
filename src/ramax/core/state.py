"""The pstate of one space during one unit of work, packed; `mapping` has the mappings above it.

Values are packed whenever an event ends, so nothing is ever shared between two keys, two events,
two commands or a caller, and a nested value that was changed in place is found (ADR-0008).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from ramax.core.codec import decode, decode_tagged
from ramax.core.entity import Link
from ramax.core.keys import after_key
from ramax.core.schema import Schema, covers
from ramax.errors import SchemaError


class Tagged(NamedTuple):
    """A packed value in a format that is only read: rows that came from Elixir."""

    data: bytes
    format: str


Packed = bytes | Tagged

End = Literal["lowest", "highest"]
"""An end of a range of keys."""


def unpack(packed: Packed) -> Any:
    """Decode a packed value; every call makes a value of its own."""
    return decode(packed) if type(packed) is bytes else decode_tagged(*packed)


class Complaint(NamedTuple):
    """The first value that did not fit, and how many there were."""

    first: SchemaError
    times: int


class StateUnavailableError(BaseException):
    """A read behind the mapping could not be answered; never for the domain to catch."""


class KeysMissingError(StateUnavailableError):
    """The keys are not in memory; the runtime fetches them and runs the command again."""

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__(*keys)
        self.keys: tuple[str, ...] = tuple(keys)


class ReadFailedError(StateUnavailableError):
    """The database failed behind the mapping; carries the error that the caller is to get."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Source(Protocol):
    """Where values come from that the unit of work has not seen yet."""

    def load(self, key: str) -> Packed | None:
        """Return the stored value of ``key`` or None; raise StateUnavailableError if it cannot."""
        ...

    def load_range(self, low: str, high: str) -> Mapping[str, Packed]:
        """Return every stored key with low <= key < high, and its value."""
        ...

    def load_nearest(self, low: str, high: str, end: End) -> str | None:
        """Return the lowest stored key with low <= key < high, or the highest, if there is one."""
        ...


class NothingStored:
    """The source of a space that has no values."""

    def load(self, _key: str) -> Packed | None:
        """Return None."""
        return None

    def load_range(self, _low: str, _high: str) -> Mapping[str, Packed]:
        """Return nothing."""
        return {}

    def load_nearest(self, _low: str, _high: str, _end: End) -> str | None:
        """Return None."""
        return None


class SpaceState:
    """Packed values of one space: read ones, written ones, and those of the running command."""

    __slots__ = (
        "_complete",
        "_known",
        "_source",
        "complaints",
        "failure",
        "index",
        "links",
        "outdated",
        "pending",
        "pending_links",
        "written",
    )

    def __init__(self, source: Source, known: dict[str, Packed | None] | None = None) -> None:
        self._source = source
        self._known: dict[str, Packed | None] = {} if known is None else known
        self._complete: tuple[tuple[str, str], ...] = ()
        self.written: dict[str, bytes | None] = {}
        self.pending: dict[str, bytes | None] = {}
        self.failure: BaseException | None = None
        """What broke behind the mapping, whether or not the domain caught it."""
        self.index: str | None = None
        """Which fields have an index of their references in this space, as `Schema.index` says."""
        self.links: dict[str, frozenset[Link]] = {}
        """What keys refer to now, where that is in the index and has changed."""
        self.pending_links: dict[str, frozenset[Link]] = {}
        self.outdated: dict[str, Schema] = {}
        """Keys that were read in an older shape, with the schema that brought them to today's."""
        self.complaints: dict[tuple[str, str], Complaint] = {}
        """What was written although it does not fit, by entity and field."""

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
        if self._complete and any(low <= key < high for low, high in self._complete):
            return None
        try:
            value = self._source.load(key)
        except StateUnavailableError as failure:
            self.failure = failure
            raise
        self._known[key] = value
        return value

    def peek(self, key: str) -> Packed | None:
        """Return the value if it is in memory; a blind write is not worth a read."""
        if key in self.pending:
            return self.pending[key]
        if key in self.written:
            return self.written[key]
        return self._known.get(key)

    def keys(self, low: str, high: str) -> list[str]:
        """Return every key with low <= key < high that has a value now, in key order."""
        if (low, high) not in self._complete:
            try:
                stored = self._source.load_range(low, high)
            except StateUnavailableError as failure:
                self.failure = failure
                raise
            self._known = {**stored, **self._known}
            self._complete += ((low, high),)
        merged = {**self._known, **self.written, **self.pending}
        return sorted(k for k, value in merged.items() if value is not None and low <= k < high)

    def nearest(self, low: str, high: str, *, down: bool = False) -> str | None:
        """Return the lowest key with low <= key < high that has a value now, or the highest.

        Reads the keys up to it, not all of the range; never their values.
        """
        best = max if down else min
        held = (*self._known, *self.written, *self.pending)
        near = [key for key in held if low <= key < high and self.peek(key) is not None]
        found = best(near, default=None)
        while True:
            stored = self._stored_nearest(low, high, down=down)
            if stored is None or self._is_there(stored):
                break  # else it was deleted, and the one behind it counts
            low, high = (low, stored) if down else (after_key(stored), high)
        if found is None or stored is None:
            return stored if found is None else found
        return best(found, stored)

    def _is_there(self, key: str) -> bool:
        """Say whether a stored key has a value now."""
        for layer in (self.pending, self.written, self._known):
            if key in layer:
                return layer[key] is not None
        return True

    def _stored_nearest(self, low: str, high: str, *, down: bool) -> str | None:
        try:
            return self._source.load_nearest(low, high, "highest" if down else "lowest")
        except StateUnavailableError as failure:
            self.failure = failure
            raise

    def keep_index(self, schema: Schema) -> None:
        """Give the index up where entities that it covers were written without keeping it."""
        index = self.index
        if index is None or index == schema.index:
            return
        if any(covers(index, key) for key in self.written):
            self.index = None

    def complain(self, problem: SchemaError) -> None:
        """Note a written value that does not fit where that is no reason to refuse it."""
        where = problem.entity, problem.field
        first, times = self.complaints.get(where, Complaint(problem, 0))
        self.complaints[where] = Complaint(first, times + 1)

    def changes(self) -> tuple[Mapping[str, bytes], Sequence[str]]:
        """Return what is to be written: values by key, and keys that go."""
        written = self.written
        if None not in written.values():
            return written, []  # type: ignore[return-value]
        known = self._known
        unknown = b""  # set without a read, then deleted: it may be there
        return (
            {key: value for key, value in written.items() if value is not None},
            [k for k, v in written.items() if v is None and known.get(k, unknown) is not None],
        )

    def keep(self) -> None:
        """The running command succeeded: its writes become the unit's."""
        self.written.update(self.pending)
        self.pending.clear()
        if self.pending_links:
            self.links.update(self.pending_links)
            self.pending_links.clear()

    def discard(self) -> None:
        """The running command failed: nothing of it stays."""
        self.pending.clear()
        self.pending_links.clear()
        self.failure = None
