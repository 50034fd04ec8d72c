"""Rebuild: replacing a space's pstate by the fold of its whole history, while writes go on.

History is folded beside the live pstate and compared with it. Only then is the space's lock
taken, for the events that came meanwhile and for the differences, in one transaction: readers see
the old state or the new one, and a crash leaves the old one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ramax.core.domain import Domain
from ramax.core.fold import fold
from ramax.core.state import DictSource, Packed, SpaceState
from ramax.core.unit import Guard, SpaceWrite
from ramax.runtime.catchup import facts_of
from ramax.runtime.core import Core
from ramax.storage.backend import write_plan
from ramax.storage.events import as_applied, read_page
from ramax.storage.executors import Executor
from ramax.storage.plan import WritePlan
from ramax.storage.rebuild import (
    Stored,
    read_changed_since,
    read_key_count,
    read_several,
    read_stored,
)
from ramax.storage.spaces import domains_row, take_lock
from ramax.values import Progress, Space

_TAIL = 1000
"""Events that may be left to fold under the lock."""

_FREE_TRIES = 3
"""How often others may replace the pstate before everything is compared under the lock."""


class _StaleError(Exception):
    """The comparison does not describe the stored pstate any more."""


@dataclass(slots=True)
class _NewState:
    """The new pstate as it grows, and which keys the latest events touched."""

    domain: Domain
    space: Space
    page_size: int
    values: dict[str, Packed] = field(default_factory=dict)
    sequence: int = 0
    event_id: int = 0
    touched: set[str] = field(default_factory=set)

    def fold_page(self, ex: Executor) -> bool:
        """Fold the next events; say whether there may be more."""
        rows = read_page(ex, self.space.space_id, after=self.sequence, limit=self.page_size)
        if not rows:
            return False
        state = SpaceState(DictSource(self.values))
        fold(self.domain, state, map(as_applied, rows), self.space.space_name)
        for key, value in state.written.items():
            self.touched.add(key)
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
        self.sequence, self.event_id = rows[-1][2], rows[-1][0]
        return len(rows) == self.page_size

    def differing(self, page: list[tuple[str, Stored]]) -> Iterator[str]:
        """Yield the stored keys of a page that are not as they should be."""
        for key, (value, direct) in page:
            if direct or self.values.get(key) != value:
                yield key


async def rebuild(
    core: Core,
    space: Space,
    domain: Domain,
    progress: Callable[[Progress], object] | None = None,
) -> int:
    """Rebuild one space and return how many events were folded.

    Raises:
        FoldError: An applicator failed; the old pstate stays.
        SpaceNotFoundError: There is no such space, or it was deleted meanwhile.
    """
    new = _NewState(domain, space, core.options.page)
    started = core.clock()

    async def follow() -> Guard:
        """Fold what there is and return the guard that was read after it."""
        more = True
        while more:
            more = await core.reader.run(new.fold_page)
            guard = await core.reader.run(lambda ex: facts_of(ex, space).guard)
            if progress is not None:
                seconds = (core.clock() - started) / 1_000_000
                progress(Progress(new.sequence, guard.last_sequence, seconds))
        return guard

    for attempt in range(_FREE_TRIES + 1):
        guard = await follow()
        new.touched.clear()
        locked = attempt == _FREE_TRIES
        different = None if locked else await _compare(core, new)
        while not locked and (await follow()).last_sequence - new.sequence > _TAIL:
            pass
        try:
            await core.writer.locked(
                f"rebuilding space {space.space_name!r}",
                lambda ex, g=guard, d=different: _swap(ex, new, g, d, core.clock()),  # type: ignore[misc]
            )
            break
        except _StaleError:
            continue
        finally:
            core.cache.forget(space.space_id)
    core.writer.on_commit([space.space_id])
    return new.sequence


async def _compare(core: Core, new: _NewState) -> set[str]:
    """Compare the stored keys with the new state, page by page, without a lock."""
    different: set[str] = set()
    missing = set(new.values)
    after, size = "", core.options.page
    while True:
        page = await core.reader.run(
            lambda ex, start=after: read_stored(  # type: ignore[misc]
                ex, new.space.space_id, after=start, limit=size
            )
        )
        different.update(new.differing(page))
        missing.difference_update(key for key, _ in page)
        if len(page) < size:
            return different | missing
        after = page[-1][0]


def _compare_locked(ex: Executor, new: _NewState) -> set[str]:
    """The same with one read, under the lock: the answer cannot become stale."""
    stored = read_stored(ex, new.space.space_id, after="", limit=2**31 - 1)
    return set(new.differing(stored)) | (set(new.values) - {key for key, _ in stored})


def _swap(
    ex: Executor, new: _NewState, compared: Guard, different: set[str] | None, now: int
) -> None:
    """Under the lock: fold the rest, write what differs, check that nothing else is there."""
    space = new.space
    take_lock(ex, space.space_id, space.space_name)
    guard = facts_of(ex, space).guard
    if different is not None and guard.state_version != compared.state_version:
        raise _StaleError
    while new.fold_page(ex):
        pass
    if different is None:
        candidates = _compare_locked(ex, new)
    else:
        # what the live applicators wrote since, should they be of another version than these
        recent = read_changed_since(ex, space.space_id, compared.last_timestamp)
        candidates = different | new.touched | recent
    write = SpaceWrite(
        space.space_id,
        guard,
        last_timestamp=max(now, guard.last_timestamp),
        checkpoint=new.sequence,
        checkpoint_event_id=new.event_id,
        version_step=1,
    )
    _fill(write, new, read_several(ex, space.space_id, candidates), candidates)
    names = new.domain.names
    extras = [] if names == guard.domains else [domains_row(space.space_id, names)]
    write_plan(ex, WritePlan([write], b"", now, extras))
    if read_key_count(ex, space.space_id) != len(new.values):
        raise _StaleError  # a key went meanwhile that only other applicators would delete


def _fill(
    write: SpaceWrite, new: _NewState, present: dict[str, Stored], candidates: set[str]
) -> None:
    for key in candidates:
        value = new.values.get(key)
        if value is None:
            if key in present:
                write.deletes.append(key)
        elif present.get(key) != (value, False):
            assert isinstance(value, bytes)
            write.puts[key] = value
