"""Merging late events as a batch: what came after the first of them is taken back and done again.

For a data type whose entities stand alone (`DataType.alone`). Nothing is stored for it: what has to
be known to take events back is made again of the log, by the applicators that fold everything.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, Self

from ramax.core.codec import encode
from ramax.core.datatypes.datatype import DataType
from ramax.errors import FoldError
from ramax.values import Event

_NOT_THERE: Any = object()


class Known(NamedTuple):
    """An event of an entity, and whether it was folded before."""

    event: Event
    folded: bool


def rewound(
    datatype: DataType, events: Sequence[Known], space_name: str
) -> dict[str, bytes | None]:
    """Say what changes in a state that knows some events of an entity by knowing the others.

    Args:
        datatype: Of the entity; it stands alone, and replaces values.
        events: All events of the entity in the order of all replicas.

    Returns:
        Keys, with the prefix of the data type, and their packed values; None for those that go.

    Raises:
        FoldError: An applicator failed.
    """
    first = next((at for at, each in enumerate(events) if not each.folded), len(events))
    state = Rewindable()
    _fold(datatype, state, (each.event for each in events[:first]), space_name)
    return merged(datatype, state, events[first:], space_name)


def merged(
    datatype: DataType, state: "Rewindable", after: Sequence[Known], space_name: str
) -> dict[str, bytes | None]:
    """As `rewound`, from the state before the first event that was not folded."""
    state.mark()
    _fold(datatype, state, (each.event for each in after if each.folded), space_name)
    before = state.take_back()
    _fold(datatype, state, (each.event for each in after), space_name)
    return _differences(datatype.prefix, before, state)


def _fold(
    datatype: DataType, state: "Rewindable", events: Iterable[Event], space_name: str
) -> None:
    for event in events:
        try:
            datatype.apply(state, event)
        except Exception as error:
            raise FoldError(space_name, event.space_sequence, event.event_type, error) from error


def _differences(
    prefix: str, before: Mapping[str, Any], state: "Rewindable"
) -> dict[str, bytes | None]:
    """Compare what was taken back with what is there now, and what else was written since."""
    was = {**state.marked(), **before}  # where nothing was taken back, it was as at the mark
    found: dict[str, bytes | None] = {}
    for key, value in was.items():
        old, new = _packed(key, value), _packed(key, state.get(key, _NOT_THERE))
        if old != new:  # by bytes: 1 equals True
            found[prefix + key] = new
    return found


def _packed(key: str, value: Any) -> bytes | None:
    return None if value is _NOT_THERE else encode(value, "pstate value of {!r},", key)


class Rewindable(dict[str, Any]):
    """A state in memory that can be taken back to where it was marked.

    Values are replaced in it, never changed in place. A dict, since folding is reading: `get` is
    Python's own.
    """

    __slots__ = ("_was",)

    def __init__(self) -> None:
        super().__init__()
        self._was: dict[str, Any] | None = None

    def __setitem__(self, key: str, value: Any) -> None:
        if self._was is not None and key not in self._was:
            self._was[key] = self.get(key, _NOT_THERE)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        was = self[key]
        super().__delitem__(key)
        if self._was is not None:
            self._was.setdefault(key, was)

    def pop(self, key: str, default: Any = _NOT_THERE) -> Any:
        """Take a key away and return its value, or ``default``."""
        found = self.get(key, _NOT_THERE)
        if found is not _NOT_THERE:
            del self[key]
        elif default is _NOT_THERE:
            raise KeyError(key)
        return default if found is _NOT_THERE else found

    # a dict's own would write past the mark
    popitem = MutableMapping.popitem
    clear = MutableMapping.clear
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc, override]
        self.update(other)
        return self

    def mark(self) -> None:
        """Remember from here on what was replaced."""
        self._was = {}

    def marked(self) -> Mapping[str, Any]:
        """Return the values at the mark of the keys that were written since."""
        return self._was or {}

    def take_back(self) -> dict[str, Any]:
        """Make everything as it was at the mark; return the written keys as they were until now."""
        was, self._was = self._was or {}, None
        now = {key: self.get(key, _NOT_THERE) for key in was}
        for key, value in was.items():
            if value is not _NOT_THERE:
                self[key] = value
            elif key in self:
                del self[key]
        self.mark()
        return now
