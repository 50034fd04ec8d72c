"""What is to be recorded in one space by a merge: its events, and what is remembered of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ramax.branches.sides import SpaceSides
from ramax.core.datatypes import log
from ramax.core.domain import Domain
from ramax.core.merging.conflicts import (
    MergeConflict,
    OnConflict,
    Recorded,
    Resolution,
    Verdict,
    resolve,
)
from ramax.core.merging.knowledge import Knowledge, Origin
from ramax.core.merging.results import MergePreview, SpaceMerge
from ramax.storage.merges import COPIED, SETTLED
from ramax.values import Event, NewEvent, Space


@dataclass(frozen=True, slots=True)
class Planned:
    """An event on its way into the target; without an origin it is the resolver's own."""

    new: NewEvent
    origin: Origin | None
    kind: int = COPIED


@dataclass(slots=True)
class SpacePlan:
    """Everything that a merge does to one space.

    ``declined`` are events of the source that were decided about and are not copied; ``known`` is
    up to where the target knows other logs from now on.
    """

    space: Space
    domain: Domain | None
    events: list[Planned] = field(default_factory=list)
    declined: list[Origin] = field(default_factory=list)
    known: Mapping[int, int] = field(default_factory=dict)
    resolution: Resolution = field(default_factory=Resolution)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write or to remember."""
        return not (self.events or self.declined or self.known)

    def merged(self, space_sequence: int) -> SpaceMerge:
        """Say what was done."""
        found = self.resolution
        made = len(self.events) - len(found.copies)
        kept, taken = tuple(found.kept), tuple(found.taken)
        return SpaceMerge(
            self.space.space_name, len(found.copies), made, kept, taken, space_sequence
        )


def plan(
    space: Space,
    domain: Domain | None,
    sides: SpaceSides,
    verdicts: Sequence[Verdict],
    on_conflict: OnConflict,
) -> SpacePlan:
    """Say what is recorded in a space, by what was decided.

    Raises:
        MergeConflictError: There are conflicts, and they are to fail.
    """
    found = SpacePlan(space, domain)
    found.resolution = resolve(verdicts, on_conflict)
    settling = found.resolution.settling
    for each in found.resolution.copies:
        found.events.append(_planned(copy_of(each.event), each, settling))
    for new, stands_for in found.resolution.new:
        caused = new if stands_for is None else _caused(new, stands_for.event)
        found.events.append(_planned(caused, stands_for, settling))
    told = Knowledge()
    if sides.chosen is None:
        told = Knowledge(sides.from_log.upto)
        found.known = told.beyond(Knowledge(sides.into_log.upto))
    there = {each.origin for each in found.events if each.origin is not None}
    decided = [each.origin for each in sides.source if not each.known] + [*sides.settled]
    found.declined = [o for o in decided if o not in there and not told.knows(o)]
    if sides.chosen is None:
        found.declined += _inherited(sides, told, {*there, *found.declined})
    return found


def _inherited(sides: SpaceSides, told: Knowledge, new: set[Origin]) -> list[Origin]:
    """Return what the source has decided against: the target takes that over as well."""
    declined = dict.fromkeys(sides.from_log.declined_beyond(sides.into_log.upto))
    known = sides.into_log.knowledge_of(declined)
    return [o for o in declined if o not in new and not known.knows(o) and not told.knows(o)]


def conflicts_of(verdicts: Iterable[Verdict]) -> list[MergeConflict]:
    """Return what both sides changed."""
    return [each.conflict for each in verdicts if each.conflict is not None]


def preview(space: Space, verdicts: Sequence[Verdict]) -> MergePreview:
    """Say what a merge into a space would do, and where it would conflict."""
    clean = resolve((each for each in verdicts if each.conflict is None), "fail")
    conflicts = tuple(conflicts_of(verdicts))
    return MergePreview(space.space_name, len(clean.copies), len(clean.new), conflicts)


def _planned(new: NewEvent, stands_for: Recorded | None, settling: set[Origin]) -> Planned:
    if stands_for is None:
        return Planned(new, None)
    kind = SETTLED if stands_for.origin in settling else COPIED
    return Planned(new, stands_for.origin, kind)


def copy_of(event: Event) -> NewEvent:
    """Return what is recorded again of an event: all that it says, caused by it."""
    return NewEvent(
        event.event_type,
        event.payload,
        entity_id=event.entity_id,
        causation_id=event.event_id,
        correlation_id=event.correlation_id,
        metadata=_metadata(event),
        version=event.version,
        tags=event.tags,
    )


def _metadata(event: Event) -> Mapping[str, Any] | None:
    if not event.event_type.startswith(log.PREFIX) or event.metadata is None:
        return event.metadata
    # where an entry stands in the log of the source is nothing to that of the target
    return {k: v for k, v in event.metadata.items() if k != log.SEQUENCE} or None


def _caused(new: NewEvent, cause: Event) -> NewEvent:
    return replace(new, causation_id=cause.event_id, correlation_id=cause.correlation_id)
