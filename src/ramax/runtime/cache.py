"""What this process knows of the spaces: guards, and packed values that are valid at them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

from ramax.core.state import Packed
from ramax.core.unit import Guard

_ENTRY_OVERHEAD = 160  # bytes of Python around one key and value, by sys.getsizeof
_MAX_SPACES = 100_000


@dataclass(slots=True, eq=False)
class Known:
    """A space as this process last saw it, and values of it that are valid at that guard.

    A value is packed, or None for a key that is known to be absent.
    """

    space_name: str
    guard: Guard
    values: dict[str, Packed | None] = field(default_factory=dict)
    size: int = 0


class StateCache:
    """Guards and values by space; least recently used spaces go when the bytes are used up.

    Values count only while the guard of their space is the one they were stored with: a guard
    that turns out to be another starts the space afresh. Changed on the event loop only; the
    writer's thread reads, and a dict that grows meanwhile does no harm to it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._spaces: LRUCache[int, Known] = LRUCache(_MAX_SPACES)
        self.bytes_used = 0

    def known(self, space_id: int) -> Known | None:
        """Return what is known of a space, or None."""
        return self._spaces.get(space_id)

    def observe(self, space_id: int, space_name: str, guard: Guard) -> Known:
        """Record the guard that was just read; a changed one drops the space's values."""
        known = self._spaces.get(space_id)
        if known is not None and known.guard[:2] == guard[:2]:
            known.guard, known.space_name = guard, space_name
            return known
        return self._start(space_id, space_name, guard)

    def commit(
        self,
        space_id: int,
        space_name: str,
        decided_on: Guard,
        guard: Guard,
        values: Mapping[str, Packed | None],
    ) -> None:
        """Take over a commit of ours: values stay if it was decided on what is known."""
        known = self._spaces.get(space_id)
        if known is None or known.guard[:2] != decided_on[:2]:
            known = self._start(space_id, space_name, guard)
        else:
            known.guard = guard
        self._keep(known, values)

    def remember(self, space_id: int, guard: Guard, values: Mapping[str, Packed | None]) -> None:
        """Keep values that were read together with a guard, if that is still the known one."""
        known = self._spaces.get(space_id)
        if known is not None and known.guard[:2] == guard[:2]:
            self._keep(known, values)

    def forget(self, space_id: int) -> None:
        """Drop what is known of a space; the next use reads it again."""
        known = self._spaces.pop(space_id, None)
        if known is not None:
            self.bytes_used -= known.size

    def _start(self, space_id: int, space_name: str, guard: Guard) -> Known:
        self.forget(space_id)
        while len(self._spaces) >= _MAX_SPACES:
            self._evict()
        known = self._spaces[space_id] = Known(space_name, guard)
        return known

    def _keep(self, known: Known, values: Mapping[str, Packed | None]) -> None:
        if not self._max_bytes:
            return
        held = known.values
        grown = 0
        for key, value in values.items():
            if key in held:
                grown -= _size(key, held[key])
            held[key] = value
            grown += _size(key, value)
        known.size += grown
        self.bytes_used += grown
        while self.bytes_used > self._max_bytes and len(self._spaces) > 1:
            self._evict()
        while self.bytes_used > self._max_bytes and held:  # one space larger than the cache
            key = next(iter(held))
            freed = _size(key, held.pop(key))
            known.size -= freed
            self.bytes_used -= freed

    def _evict(self) -> None:
        _, known = self._spaces.popitem()
        self.bytes_used -= known.size


def _size(key: str, value: Packed | None) -> int:
    if value is None:
        return _ENTRY_OVERHEAD + len(key)
    data = value if type(value) is bytes else value.data  # type: ignore[union-attr]
    return _ENTRY_OVERHEAD + len(key) + len(data)
