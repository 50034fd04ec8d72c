"""What the snapshots of a space hold at a place of the order of all replicas, read as asked for."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from ramax.core.state import End, Packed, StateUnavailableError
from ramax.core.sync.place import FoldPlace
from ramax.storage.canonical_snapshots import CanonicalSnapshot, read_canonical_chunk
from ramax.storage.executors import Executor
from ramax.storage.reads import uncatchable
from ramax.storage.spill import Spill

GONE = b""
"""Of a key that was deleted since; no packed value is empty."""

Values = Mapping[str, bytes | None]


class SnapshotGoneError(StateUnavailableError):
    """Somebody dropped a snapshot that is being read: an event came that it does not know."""


class Chunks:
    """What was read of the chunks of a space; whoever reads gives the unit of work first."""

    def __init__(self, space_id: int) -> None:
        self._space_id = space_id
        self._read: dict[tuple[tuple[int, bytes, int], int], Values] = {}
        self.ex: Executor | None = None

    def at(self, place: FoldPlace, number: int) -> Values:
        """Return what is in a chunk.

        Raises:
            SnapshotGoneError: It was dropped.
        """
        key = place.last, number
        values = self._read.get(key)
        if values is None:
            assert self.ex is not None
            values = read_canonical_chunk(self.ex, self._space_id, place, number)
            if values is None:
                raise SnapshotGoneError
            self._read[key] = values
        return values


class SnapshotState:
    """The state at the last of some snapshots, the oldest of which holds everything before it."""

    def __init__(self, snapshots: Sequence[CanonicalSnapshot], chunks: Chunks) -> None:
        self._chunks = chunks
        self._newest_first = [
            (each.place, each.chunks, [chunk.low for chunk in each.chunks])
            for each in reversed(snapshots)
        ]

    def load(self, key: str) -> bytes | None:
        """Return the value of a key, or None."""
        for place, chunks, lows in self._newest_first:
            at = bisect_right(lows, key) - 1
            if at >= 0 and key <= chunks[at].high:
                values = self._chunks.at(place, chunks[at].number)
                if key in values:
                    return values[key]
        return None

    def load_range(self, low: str, high: str) -> dict[str, bytes | None]:
        """Return what lies in low <= key < high, also what was deleted."""
        found: dict[str, bytes | None] = {}
        for place, chunks, _lows in reversed(self._newest_first):
            for chunk in chunks:
                if chunk.low < high and low <= chunk.high:
                    values = self._chunks.at(place, chunk.number)
                    found.update((k, v) for k, v in values.items() if low <= k < high)
        return found


def keys_in(snapshot: CanonicalSnapshot, chunks: Chunks) -> Iterator[str]:
    """Yield the keys that were written before a snapshot, after the one before it, in order."""
    for chunk in snapshot.chunks:
        yield from chunks.at(snapshot.place, chunk.number)


class Over:
    """What was written since, over what snapshots hold, as a source."""

    def __init__(self, base: SnapshotState, memory: int) -> None:
        self._base = base
        self._written = Spill(memory)

    def update(self, values: Mapping[str, bytes | None]) -> None:
        """Set keys, and delete those whose value is None."""
        self._written.update({k: GONE if v is None else v for k, v in values.items()})

    def written(self) -> Iterator[str]:
        """Yield the keys that were set or deleted, in order."""
        return (key for key, _ in self._written.walk())

    def close(self) -> None:
        """Free memory and temporary files."""
        self._written.close()

    def value(self, key: str) -> bytes | None:
        """Return the value of a key, or None."""
        found = self._written.load(key)
        return (self._base.load(key) if found is None else found) or None

    def load(self, key: str) -> Packed | None:
        """See `Source.load`; a failure is not for the domain to catch."""
        return uncatchable(self.value, key)

    def load_range(self, low: str, high: str) -> Mapping[str, Packed]:
        """See `Source.load_range`."""
        return uncatchable(self._range, low, high)

    def _range(self, low: str, high: str) -> Mapping[str, Packed]:
        found = {**self._base.load_range(low, high), **self._written.load_range(low, high)}
        return {key: value for key, value in found.items() if value}

    def load_nearest(self, low: str, high: str, end: End) -> str | None:
        """See `Source.load_nearest`; for commands: what is folded never asks."""
        return (max if end == "highest" else min)(self.load_range(low, high), default=None)
