"""What late events ask for: a fold from the newest snapshot before them, else of all of a space."""

from collections.abc import Sequence

from ramax.core.domain import Domain
from ramax.core.guard import Guard
from ramax.runtime.page_fold import facts_of
from ramax.runtime.refold import Refold
from ramax.runtime.replay import Replay
from ramax.runtime.snapshot_state import SnapshotGoneError
from ramax.runtime.trail import Trail, fold_of
from ramax.storage.canonical import read_late_stamp
from ramax.storage.canonical_snapshots import CanonicalSnapshot, read_canonical
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.records import read_discarded
from ramax.values import Space

_TRIES = 2
"""How often snapshots are tried, where events come meanwhile that they do not know."""

_CHUNKS = 512
"""How many chunks of snapshots a replay may come to hold in memory."""

_PART = 0.5
"""How much of all events a replay may have to fold; beyond that folding everything costs less."""


class Anew:
    """As a `Refold`, whose arguments it takes, that folds no more than it has to."""

    def __init__(self, domain: Domain, space: Space, page: int, memory: int) -> None:
        self._domain, self._space, self._page, self._memory = domain, space, page, memory
        self._fold: Refold | Replay | None = None
        self._tries = 0

    @property
    def sequence(self) -> int:
        """How many events are folded; 0 where it has not begun."""
        return 0 if self._fold is None else self._fold.sequence

    def close(self) -> None:
        """Free memory and temporary files."""
        if self._fold is not None:
            self._fold.close()
            self._fold = None

    def fold_page(self, ex: Executor) -> bool:
        """Fold the next events; say whether there may be more.

        Where others folded meanwhile, it is back at the beginning: then perhaps none came late.

        Raises:
            FoldError: An applicator failed.
        """
        if self._fold is None:
            self._fold = self._begin(ex)
        try:
            return self._fold.fold_page(ex)
        except SnapshotGoneError:
            self.close()
            return False

    def swap(self, ex: Executor, now: int) -> bool:
        """Under the lock: fold the rest and write what differs; False: it has to begin again."""
        take_lock(ex, self._space.space_id, self._space.space_name)
        while self.fold_page(ex):
            pass
        fold = self._fold
        if isinstance(fold, Replay):
            return self._swap(ex, fold, now)
        if fold is not None:
            fold.swap(ex, None, now)
        return fold is not None

    def _swap(self, ex: Executor, fold: Replay, now: int) -> bool:
        guard = facts_of(ex, self._space).guard
        if fold.sequence == guard.last_sequence and not fold.is_stale(ex):
            try:
                fold.swap(ex, guard, now)
            except SnapshotGoneError:
                pass
            else:
                return True
        self.close()
        return False

    def _begin(self, ex: Executor) -> Refold | Replay:
        self._tries += 1
        guard, whose, late = facts_of(ex, self._space).guard, fold_of(self._domain), None
        given = self._domain, self._space, self._page, self._memory
        if guard.replica is None or whose is None:
            return Refold(*given)
        late = first_late(ex, self._space, guard)
        if late is not None and self._tries <= _TRIES:
            found = read_canonical(ex, self._space.space_id, whose)
            start = newest_before(found, late)
            held = sum(len(each.chunks) for each in found)
            if start is not None and held <= _CHUNKS and gains(start, found[-1], guard):
                trail = Trail(whose, start.place.events, guard.last_sequence, late)
                return Replay(*given, found, guard, late, trail)
        return Refold(*given, Trail(whose, 0, guard.last_sequence, late))


def newest_before(found: Sequence[CanonicalSnapshot], late: int) -> CanonicalSnapshot | None:
    """Return the newest snapshot that knows no event of this stamp or above."""
    return next((each for each in reversed(found) if each.place.last[0] < late), None)


def gains(start: CanonicalSnapshot, newest: CanonicalSnapshot, guard: Guard) -> bool:
    """Say whether a replay folds so much less than everything that it is worth its comparisons."""
    events = guard.last_sequence - start.place.events + guard.checkpoint - newest.place.events
    return events <= guard.last_sequence * _PART


def first_late(ex: Executor, space: Space, guard: Guard) -> int | None:
    """Return the first stamp of the late events that are not folded; None: fold all of them."""
    space_id, after, upto = space.space_id, guard.checkpoint, guard.last_sequence
    if not after or read_discarded(ex, space_id, after=after, upto=upto):
        return None
    return read_late_stamp(ex, space_id, after=after, upto=upto)
