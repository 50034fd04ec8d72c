"""What this process knows of the spaces: guards, and packed values that are valid at them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

from ramax.core.guard import Guard
from ramax.core.state import Packed

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
    live: bool = True
    """Still what the cache knows; a handle may keep this object while it is."""


class StateCache:
    """Guards and values by space; least recently used spaces go when the bytes are used up.

    Values count only while the guard of their space is the one they were stored with: a guard
    that turns out to be another starts the space afresh. Whoever reads or decides takes a `tick`
    before he begins; what he found is stored only if nobody has written to the space since, so an
    old answer that arrives late can never replace a newer one.

    Changed on the event loop only; the writer's thread reads, and a dict that grows meanwhile
    does no harm to it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._spaces: LRUCache[int, Known] = LRUCache(_MAX_SPACES)
        self._ticks: dict[int, int] = {}
        self._elsewhere: dict[int, Callable[[], bool]] = {}
        self.bytes_used = 0

    def tick(self, space_id: int) -> int:
        """Return the state of affairs to which what is about to be read belongs."""
        return self._ticks.get(space_id, 0)

    def known(self, space_id: int) -> Known | None:
        """Return what is known of a space, or None."""
        if self._elsewhere and self._written_elsewhere(space_id):
            return None
        return self._spaces.get(space_id)

    def observe(
        self,
        space_id: int,
        space_name: str,
        guard: Guard,
        values: Mapping[str, Packed | None],
        tick: int,
    ) -> None:
        """Keep a guard that was read, and values that were read with it."""
        if self._written_elsewhere(space_id) or tick != self.tick(space_id):
            return
        known = self._spaces.get(space_id)
        if known is not None and known.guard[:2] == guard[:2]:
            if guard.in_step is None and known.guard.in_step is not None:
                guard = guard._replace(in_step=known.guard.in_step)
            known.guard, known.space_name = guard, space_name
        else:
            known = self._start(space_id, space_name, guard)
        self._keep(known, values)

    def commit(  # noqa: PLR0917 - what is known, and since when
        self,
        space_id: int,
        space_name: str,
        decided_on: Guard,
        guard: Guard,
        values: Mapping[str, Packed | None],
        tick: int,
        known: Known | None = None,
    ) -> None:
        """Take over a commit of ours: values stay if it was decided on what is known."""
        elsewhere = self._elsewhere and self._written_elsewhere(space_id)
        if elsewhere or tick != self._ticks.get(space_id, 0):
            self.forget(space_id)
            return
        self._ticks[space_id] = tick + 1
        if known is None or not known.live:
            known = self._spaces.get(space_id)
        if known is None or (known.guard is not decided_on and known.guard[:2] != decided_on[:2]):
            known = self._start(space_id, space_name, guard)
        else:
            known.guard = guard
        self._keep(known, values)

    def forget(self, space_id: int) -> None:
        """Somebody wrote to a space by another way than a batch: the next use reads it again."""
        self._ticks[space_id] = self.tick(space_id) + 1
        self._drop(space_id)

    def leave(self, space_id: int, still: Callable[[], bool]) -> None:
        """Know nothing of a space as long as ``still()``: a connection not ours writes to it."""
        self._elsewhere[space_id] = still
        self.forget(space_id)

    def _written_elsewhere(self, space_id: int) -> bool:
        still = self._elsewhere.get(space_id)
        if still is None:
            return False
        if still():
            return True
        del self._elsewhere[space_id]
        self.forget(space_id)
        return False

    def _drop(self, space_id: int) -> None:
        known = self._spaces.pop(space_id, None)
        if known is not None:
            known.live = False
            self.bytes_used -= known.size

    def _start(self, space_id: int, space_name: str, guard: Guard) -> Known:
        self._drop(space_id)
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
        known.live = False
        self.bytes_used -= known.size


def _size(key: str, value: Packed | None) -> int:
    if value is None:
        return _ENTRY_OVERHEAD + len(key)
    data = value if type(value) is bytes else value.data  # type: ignore[union-attr]
    return _ENTRY_OVERHEAD + len(key) + len(data)
