"""What this process knows of the spaces: guards, and packed values that are valid at them."""

import threading
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from ramax.core.state import Packed
from ramax.core.unit import Guard

_ENTRY_OVERHEAD = 200  # bytes of Python around one cached value, measured with sys.getsizeof
_MAX_SPACES = 100_000


@dataclass(slots=True)
class Known:
    """A space as this process last saw it; ``generation`` names the values that go with it."""

    space_name: str
    guard: Guard
    generation: int


_MISS: Any = object()


def _size(entry: tuple[int, Packed | None]) -> int:
    value = entry[1]
    if value is None:
        return _ENTRY_OVERHEAD
    return _ENTRY_OVERHEAD + len(value if isinstance(value, bytes) else value.data)


class StateCache:
    """Guards by space, and values by (space, key), bounded by bytes.

    A value counts only while the guard of its space is the one it was stored with: a space whose
    guard turns out to be another starts a new generation, which makes all its values misses.
    Used from the event loop and from the writer's thread, hence the lock.
    """

    def __init__(self, max_bytes: int) -> None:
        self._values: LRUCache[tuple[int, str], tuple[int, Packed | None]] = LRUCache(
            max_bytes, getsizeof=_size
        )
        self._spaces: LRUCache[int, Known] = LRUCache(_MAX_SPACES)
        self._generations = 0
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    def known(self, space_id: int) -> Known | None:
        """Return what is known of a space, or None."""
        with self._lock:
            return self._spaces.get(space_id)

    def value(self, space_id: int, generation: int, key: str) -> Packed | None:
        """Return a value of that generation; None is "known to be absent".

        Raises:
            LookupError: The cache does not know.
        """
        with self._lock:
            found = self._values.get((space_id, key), _MISS)
            if found is _MISS or found[0] != generation:
                self.misses += 1
                raise LookupError(key)
            self.hits += 1
            return found[1]  # type: ignore[no-any-return]

    def observe(self, space_id: int, space_name: str, guard: Guard) -> Known:
        """Record the guard that was just read; a changed one makes the space's values stale."""
        with self._lock:
            known = self._spaces.get(space_id)
            if known is not None and _same(known.guard, guard):
                known.guard, known.space_name = guard, space_name
                return known
            self._generations += 1
            known = self._spaces[space_id] = Known(space_name, guard, self._generations)
            return known

    def commit(
        self,
        space_id: int,
        decided_on: Guard,
        guard: Guard,
        space_name: str,
        values: dict[str, Packed | None],
    ) -> None:
        """Take over a commit of ours: values stay valid if it was decided on what is known."""
        with self._lock:
            known = self._spaces.get(space_id)
            if known is None or not _same(known.guard, decided_on):
                self._generations += 1
                known = self._spaces[space_id] = Known(space_name, guard, self._generations)
            else:
                known.guard = guard
            for key, value in values.items():
                self._store(space_id, known.generation, key, value)

    def remember(self, space_id: int, guard: Guard, values: dict[str, Packed | None]) -> None:
        """Keep values that were read together with a guard, if that is still the known one."""
        with self._lock:
            known = self._spaces.get(space_id)
            if known is None or not _same(known.guard, guard):
                return
            for key, value in values.items():
                self._store(space_id, known.generation, key, value)

    def _store(self, space_id: int, generation: int, key: str, value: Packed | None) -> None:
        entry = (generation, value)
        if _size(entry) <= self._values.maxsize:
            self._values[space_id, key] = entry

    def forget(self, space_id: int) -> None:
        """Drop what is known of a space; the next use reads it again."""
        with self._lock:
            self._spaces.pop(space_id, None)

    @property
    def bytes_used(self) -> int:
        """Bytes of the values that are held, overhead included."""
        return int(self._values.currsize)


def _same(one: Guard, other: Guard) -> bool:
    return one[:2] == other[:2]
