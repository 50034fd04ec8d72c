"""Where the spaces of an old database are to go, and whether they are there already."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol, TypeVar

from ramax.legacy.event_ids import EventIds
from ramax.legacy.pages import pages
from ramax.legacy.records import LegacyEvent, LegacySpace
from ramax.legacy.report import ImportConflictError, LostCause
from ramax.legacy.source import LegacySource
from ramax.storage import pstate, spaces
from ramax.storage.events import read_head, read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.reads import packed, read_facts
from ramax.values import Space, to_micros

T = TypeVar("T")


class Run(Protocol):
    """Runs work on the target, all of it in one transaction or each by itself."""

    def __call__(self, work: Callable[[Executor], T], /) -> Awaitable[T]:
        """Run it."""
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a space is to go: into a new one, into an empty one, or it is ``present`` already."""

    old: LegacySpace
    space_name: str
    found: Space | None
    present: bool


@dataclass(slots=True)
class Survey:
    """What is in the target already: the destinations by old space id, and events of theirs."""

    destinations: list[Destination] = field(default_factory=list)
    ids: EventIds = field(default_factory=EventIds)
    lost_causes: list[LostCause] = field(default_factory=list)

    def to_be_written(self) -> dict[int, Destination]:
        """Return the destinations that are not there yet, by old space id."""
        return {each.old.space_id: each for each in self.destinations if not each.present}

    def place(self) -> dict[int, int]:
        """Return the ids of the spaces that are there, by their old ids."""
        found = ((each.old.space_id, each.found) for each in self.destinations)
        return {old: space.space_id for old, space in found if space is not None}


async def survey(run: Run, source: LegacySource, names: Mapping[int, str]) -> Survey:
    """Look for the spaces in the target.

    Raises:
        ImportConflictError: A space of a name is there, and holds something else.
    """
    known = Survey()
    conflicts: dict[str, str] = {}
    for old in source.spaces:
        name = names[old.space_id]
        found = await run(lambda ex, n=name: spaces.find_by_name(ex, n))  # type: ignore[misc]
        present = found is not None and not await run(lambda ex, f=found: is_empty(ex, f.space_id))  # type: ignore[misc]
        if found is not None:
            difference = await _difference(run, source, old, found, known, present=present)
            if difference is not None:
                conflicts[name] = difference
        known.destinations.append(Destination(old, name, found, present))
    if conflicts:
        raise ImportConflictError(conflicts)
    known.ids.sort()
    if not known.to_be_written() and known.ids.are_the_old_ones():
        known.ids = EventIds(kept=True)
    return known


def is_empty(ex: Executor, space_id: int) -> bool:
    """Say whether a space never had an event and has no key."""
    return not read_head(ex, space_id) and not pstate.read_count(ex, space_id, "")


async def _difference(
    run: Run, source: LegacySource, old: LegacySpace, found: Space, known: Survey, *, present: bool
) -> str | None:
    """Say what keeps the old space from being, or going into, the one that was found."""
    if not present:
        other = found.metadata and found.metadata != (old.metadata or {})
        return "exists, is empty, and has other metadata" if other else None
    if old.event_count:
        return await _other_event(run, source, old, found.space_id, known)
    if old.registered and to_micros(found.created_at) != old.created_at:
        return "exists, and was created at another time"
    return await _other_value(run, source, old, found.space_id)


async def _other_event(
    run: Run, source: LegacySource, old: LegacySpace, space_id: int, known: Survey
) -> str | None:
    async for page in pages(source.events(space_id=old.space_id)):
        rows = await run(lambda ex, p=page: _rows_of(ex, space_id, p))  # type: ignore[misc]
        for event, row in zip_longest(page, rows):
            if event is None or row is None or not _is_same(event, row):
                at = row[2] if event is None else event.space_sequence
                return f"exists, and its events are others from sequence {at} on"
            known.ids.add(event.event_id, row[0])
            if event.causation_id is not None and row[8] is None:
                known.lost_causes.append(LostCause(event.event_id, event.causation_id))
    return None


def _rows_of(ex: Executor, space_id: int, page: Sequence[LegacyEvent]) -> Sequence[Row]:
    after, upto = page[0].space_sequence - 1, page[-1].space_sequence
    return read_page(ex, space_id, after=after, upto=upto, limit=len(page) + 1)


def _is_same(event: LegacyEvent, row: Row) -> bool:
    _, _, sequence, entity_id, event_type, payload, format_, stamp, _, correlation_id, *_ = row
    stored = (sequence, payload, entity_id, event_type, format_, stamp, correlation_id)
    return stored == (
        event.space_sequence,
        event.payload,
        event.entity_id,
        event.event_type,
        event.format,
        event.timestamp,
        event.correlation_id,
    )


async def _other_value(
    run: Run, source: LegacySource, old: LegacySpace, space_id: int
) -> str | None:
    async for page in pages(source.values(space_id=old.space_id)):
        keys = [value.key for value in page]
        facts = await run(lambda ex, k=keys: read_facts(ex, {space_id: k}))  # type: ignore[misc]
        stored = facts[space_id].values
        for value in page:
            if stored.get(value.key) != packed(value.value, value.format):
                return f"exists, and its pstate is another at key {value.key!r}"
    return None
