"""The two logs of a merge: what each has that the other does not know, read from the database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ramax.core.merging.conflicts import Recorded
from ramax.core.merging.knowledge import Knowledge, Origin
from ramax.core.merging.things import Thing, thing_of
from ramax.storage import merges
from ramax.storage.executors import Executor
from ramax.storage.lineage import Segment
from ramax.storage.merges import COPIED, SETTLED, Brief
from ramax.values import Event, Space


class Chosen(NamedTuple):
    """An entity that is to be merged; ``under`` means those of ``<entity_id>/…`` as well."""

    entity_id: str
    under: bool = False


class LogSide:
    """The log of one space up to its head, and what it knows of other logs."""

    def __init__(self, ex: Executor, space: Space, head: int, *, remembers: bool = True) -> None:
        """Make one; a space that does not remember anything has never been merged into."""
        self._ex = ex
        self.space, self.head, self.remembers = space, head, remembers
        self.segments = merges.segments_of(ex, space.space_id, head)

    @property
    def own(self) -> bool:
        """Whether it has events that it does not go on from."""
        return self.segments[-1].after < self.head

    @cached_property
    def lineage(self) -> Mapping[int, int]:
        """Up to where it holds the logs that it goes on from, and its own."""
        return {segment.space_id: segment.upto for segment in self.segments}

    @cached_property
    def upto(self) -> Mapping[int, int]:
        """Up to where it knows every log that it knows of, itself included."""
        return merges.read_known(self._ex, self.segments)

    def knowledge_of(self, origins: Iterable[Origin]) -> Knowledge:
        """Return what is known, with all that is known of these events."""
        above = [each for each in origins if each.sequence > self.upto.get(each.space_id, 0)]
        return Knowledge(self.upto, merges.read_decided(self._ex, self.segments, above))

    def declined_beyond(self, upto: Mapping[int, int]) -> list[Origin]:
        """Return what was decided against here that somebody may not know of."""
        if not self.remembers and len(self.segments) == 1:
            return []
        return merges.read_declined(self._ex, self.segments, upto)

    def merged_into_since(self, lineage: Mapping[int, int]) -> bool:
        """Say whether anything was merged into this log where another one does not go with it."""
        return any(
            merges.has_recorded(self._ex, space_id, max(after, lineage.get(space_id, 0)))
            for space_id, after, _ in self.segments
        )

    def beyond(self, upto: Mapping[int, int]) -> Iterator[Segment]:
        """Yield the parts of this log that lie above what somebody knows."""
        for space_id, first, end in self.segments:
            after = max(first, upto.get(space_id, 0))
            if after < end:
                yield Segment(space_id, after, end)

    def events_beyond(self, upto: Mapping[int, int]) -> list["Traced"]:
        """Read the events above what somebody knows."""
        found: list[Traced] = []
        for segment in self.beyond(upto):
            copies = merges.read_copies(self._ex, segment)
            rows = merges.read_events(self._ex, segment)
            found += [_traced(row, segment.space_id, copies) for row in rows]
        return found

    def briefs_beyond(self, upto: Mapping[int, int]) -> list["Traced"]:
        """Read what the events above what somebody knows are about."""
        found: list[Traced] = []
        for segment in self.beyond(upto):
            copies = merges.read_copies(self._ex, segment)
            rows = merges.read_briefs(self._ex, segment)
            found += [_traced(row, segment.space_id, copies) for row in rows]
        return found

    def chosen_beyond(self, chosen: Iterable[Chosen], upto: Mapping[int, int]) -> list["Traced"]:
        """Read the events of some entities above what somebody knows."""
        parts = list(self.beyond(upto))
        copies = {part.space_id: merges.read_copies(self._ex, part) for part in parts}
        found = [
            _traced(event, part.space_id, copies[part.space_id])
            for each in chosen
            for part in parts
            for event in merges.read_history(self._ex, [part], each.entity_id, under=each.under)
        ]
        return sorted(found, key=lambda traced: traced.event.space_sequence)

    def history(self, entity_id: str, *, inside: bool = False) -> list[Event]:
        """Read all events of an entity."""
        return merges.read_history(self._ex, self.segments, entity_id, under=inside)


class Traced(NamedTuple):
    """An event of a log, where it is from, and whether it was taken in place of others."""

    event: Event | Brief
    origin: Origin
    settles: bool

    @property
    def thing(self) -> Thing:
        """What it is about."""
        return thing_of(self.event.entity_id, self.event.event_type)


def _traced(event: Event | Brief, stored_in: int, copies: Mapping[int, merges.Copy]) -> Traced:
    own = merges.Copy(Origin(stored_in, event.space_sequence), COPIED)
    origin, kind = copies.get(event.space_sequence, own)
    return Traced(event, origin, kind == SETTLED)


@dataclass(frozen=True)
class SpaceSides:
    """Both histories of a space, or of some of its entities; see `merging.conflicts.Sides`."""

    from_log: LogSide
    into_log: LogSide
    chosen: Sequence[Chosen] | None = None
    """None: everything."""

    @property
    def space(self) -> str:
        """The name of the space that is merged into."""
        return self.into_log.space.space_name

    @property
    def source(self) -> Sequence[Recorded]:
        """What the source has that the target may not know, in order."""
        return self._compared[0]

    @property
    def settled(self) -> Sequence[Origin]:
        """What the target does not know, and need not: both have agreed on what came after it."""
        return self._compared[1]

    @cached_property
    def _compared(self) -> tuple[list[Recorded], list[Origin]]:
        upto = self.into_log.upto
        if self.chosen is None:
            found = self.from_log.events_beyond(upto)
        else:
            found = self.from_log.chosen_beyond(self.chosen, upto)
        known = self.into_log.knowledge_of(each.origin for each in found)
        agreed = Settled(each for each in found if each.settles and known.knows(each.origin))
        recorded, settled = [], []
        for each in found:
            held, covered = known.knows(each.origin), agreed.covers(each)
            assert isinstance(each.event, Event)
            recorded.append(Recorded(each.event, each.origin, held or covered))
            if covered and not held:
                settled.append(each.origin)
        return recorded, settled

    @cached_property
    def touched(self) -> Mapping[Thing, frozenset[int]]:
        """What the target changed that the source does not hold: sequences by thing."""
        upto = self.from_log.upto
        if self.chosen is None:
            found = self.into_log.briefs_beyond(upto)
        else:
            found = self.into_log.chosen_beyond(self.chosen, upto)
        known = self.from_log.knowledge_of(each.origin for each in found)
        settled = Settled(each for each in found if each.settles and known.knows(each.origin))
        sequences: dict[Thing, set[int]] = {}
        for each in found:
            if not known.knows(each.origin) and not settled.covers(each):
                sequences.setdefault(each.thing, set()).add(each.event.space_sequence)
        return {thing: frozenset(found) for thing, found in sequences.items()}

    @cached_property
    def news(self) -> tuple[list[Traced], list[Traced]]:
        """In brief, what the source has that the target does not know, and the other way round."""
        sides = (self.from_log, self.into_log)
        return tuple(_unknown(*pair) for pair in (sides, sides[::-1]))  # type: ignore[return-value]

    def source_history(self, entity_id: str, *, inside: bool = False) -> Sequence[Event]:
        """All events of the source about an entity."""
        return self.from_log.history(entity_id, inside=inside)

    def target_history(self, entity_id: str, *, inside: bool = False) -> Sequence[Event]:
        """All events of the target about an entity."""
        return self.into_log.history(entity_id, inside=inside)


def _unknown(log: LogSide, other: LogSide) -> list[Traced]:
    found = log.briefs_beyond(other.upto)
    known = other.knowledge_of(each.origin for each in found)
    return [each for each in found if not known.knows(each.origin)]


class Settled:
    """What both sides have agreed on: earlier changes of it are no longer theirs."""

    def __init__(self, settling: Iterable[Traced]) -> None:
        self._last: dict[Thing, int] = {}
        for each in settling:
            self._last[each.thing] = each.event.space_sequence  # they come in order

    def covers(self, each: Traced) -> bool:
        """Say whether a change came before what was agreed on."""
        thing, sequence = each.thing, each.event.space_sequence
        whole = thing._replace(part=None)  # a collection that was taken over as a whole
        return sequence < max(self._last.get(thing, 0), self._last.get(whole, 0))
