"""Three-way decisions: what of one side's history goes into the other, and where they conflict.

Something that only the source changed goes over as it is: its events, in order. Something that
both changed is a conflict, unless both came to the same content, or it is a JSON document that
they changed in different places. A log and a text have no conflicts: both sides' entries and edits
are kept. A tree is one thing: what two sides did to it is not for a merge to weigh.

What the target holds afterwards is checked: where copies of events alone would not make it of what
is there, as after merges back and forth, an event that says the content outright follows.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ramax.core.datatypes import json, vectors
from ramax.core.datatypes.json_value import MISSING
from ramax.core.merging.conflicts import MergeConflict, Outcome, Recorded, Sides, Verdict
from ramax.core.merging.contents import LAST_WINS, content, making, same_content
from ramax.core.merging.json_paths import (
    DoesNotApplyError,
    changed_paths,
    delta,
    meeting,
    pointer,
    together,
)
from ramax.core.merging.things import ENTITY, INDEXES, Thing, thing_of
from ramax.values import Event


def decide(sides: Sides) -> list[Verdict]:
    """Decide about everything that the source changed, in the order in which it did."""
    decider = _Decider(sides)
    return [decider.verdict(thing, events) for thing, events in decider.groups.items()]


class _Decider:
    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._touched = sides.touched
        self._newest: dict[Thing, Event] = {}
        self._whole = self._whole_collections()
        self.groups: dict[Thing, list[Recorded]] = {}
        for each in sides.source:
            thing = self._thing(each.event)
            self._newest[thing] = each.event
            if not each.known:
                self.groups.setdefault(thing, []).append(each)

    def _thing(self, event: Event) -> Thing:
        thing = thing_of(event.entity_id, event.event_type)
        if thing.type == "vectors" and thing.name in self._whole:
            return thing._replace(part=None)
        return thing

    def _whole_collections(self) -> set[str]:
        """Find collections that are decided about as one thing: made anew, deleted, not alike."""
        changed, names = set(), set()
        for event, _, known in self._sides.source:
            if event.event_type.startswith(vectors.VECTORS.name):
                name = thing_of(event.entity_id, event.event_type).name
                names.add(name)
                if event.event_type == vectors.DROPPED and not known:
                    changed.add(name)
        dropped = {each.name for each in self._touched if each.type == "vectors" and not each.part}
        return {name for name in names if name in changed or not self._alike(name, dropped)}

    def _alike(self, name: str, made_or_dropped: set[str]) -> bool:
        entity_id = Thing("vectors", name).entity_id
        history = self._sides.target_history(entity_id)
        if name in made_or_dropped and any(e.event_type == vectors.DROPPED for e in history):
            return False
        there, here = (
            content(Thing("vectors", name), events)
            for events in (history, self._sides.source_history(entity_id))
        )
        return there is not MISSING and here is not MISSING and there[:2] == here[:2]

    def _touching(self, thing: Thing) -> frozenset[int]:
        if thing in self._touched and not (thing.type == "vectors" and thing.part is None):
            return self._touched[thing]
        if thing.type == "vectors" and thing.part is None:
            parts = [
                sequences
                for each, sequences in self._touched.items()
                if each.type == "vectors" and each.name == thing.name
            ]
            return frozenset().union(*parts)
        return frozenset()

    # -- one thing -------------------------------------------------------------------------------

    def verdict(self, thing: Thing, events: Sequence[Recorded]) -> Verdict:
        if thing.type in {"log", "text"}:
            return Verdict(thing, events, Outcome(events))
        if thing.type == INDEXES:
            return Verdict(thing, events, Outcome(self._needed_indexes(events)))
        touching = self._touching(thing)
        if thing.type in {ENTITY, "tree"}:
            return Verdict(thing, events, Outcome(events), self._conflict(thing, events, touching))
        if thing.type == "vectors" and thing.part is None and thing.name not in self._whole:
            return Verdict(thing, events, Outcome())  # both have made the same collection
        return self._by_content(thing, events, touching)

    def _needed_indexes(self, events: Sequence[Recorded]) -> list[Recorded]:
        """Leave out what would declare a field again, or drop one that is not declared."""
        fields: dict[str, bool] = {}
        for event in self._sides.target_history(json.JSON.name):
            fields[event.payload["field"]] = event.event_type == json.INDEX_CREATED
        found = []
        for each in events:
            name, there = each.event.payload["field"], each.event.event_type == json.INDEX_CREATED
            if fields.get(name, False) != there:
                found.append(each)
            fields[name] = there
        return found

    def _by_content(
        self, thing: Thing, events: Sequence[Recorded], touching: frozenset[int]
    ) -> Verdict:
        last_wins = thing.type in LAST_WINS
        if last_wins and not touching:
            wanted, now = content(thing, [self._newest[thing]]), MISSING
        else:
            wanted = content(thing, self._history(self._sides.source_history, thing))
            now = content(thing, self._history(self._sides.target_history, thing))
        conflict = None
        if touching and not same_content(wanted, now):
            conflict = self._conflict(thing, events, touching)
            if thing.type == "json":
                merged = self._by_path(thing, events, touching)
                if isinstance(merged, _Merged):
                    wanted, conflict = merged.document, None
                elif conflict is not None:
                    conflict = _at(conflict, merged)
        return Verdict(thing, events, self._reaching(thing, events, now, wanted), conflict)

    def _reaching(self, thing: Thing, events: Sequence[Recorded], now: Any, wanted: Any) -> Outcome:
        """Find the events that make ``wanted`` of what the target has."""
        try:
            copied = content(thing, [each.event for each in events], now)
        except DoesNotApplyError:
            return Outcome((), making(thing, wanted, now))
        if same_content(copied, wanted):
            return Outcome(events)
        if thing.type in LAST_WINS or thing.part is not None:
            return Outcome(events, making(thing, wanted, copied))
        return Outcome((), making(thing, wanted, now))

    def _history(self, read: Callable[..., Sequence[Event]], thing: Thing) -> Sequence[Event]:
        found = read(thing.entity_id, inside=thing.type == "vectors" and thing.part is None)
        if thing.part is None:
            return found
        collection = read(thing._replace(part=None).entity_id)
        return sorted([*found, *collection], key=lambda event: event.space_sequence)

    def _by_path(
        self, thing: Thing, events: Sequence[Recorded], touching: frozenset[int]
    ) -> "_Merged | list[str]":
        """Make the source's changes to the target's document, or say where they meet others."""
        new = frozenset(each.event.space_sequence for each in events)
        theirs, _ = _steps(self._sides.source_history(thing.entity_id), new)
        ours, document = _steps(self._sides.target_history(thing.entity_id), touching)
        paths = [set().union(*map(changed_paths, steps)) for steps in (ours, theirs)]
        if found := meeting(*paths):
            return [pointer(path) for path in found]
        if document is MISSING:
            return [""] if paths[1] else _Merged(MISSING)
        try:
            return _Merged(together(document, theirs))
        except DoesNotApplyError:
            return [pointer(path) for path in sorted(paths[1], key=pointer)]

    def _conflict(
        self, thing: Thing, events: Sequence[Recorded], touching: frozenset[int]
    ) -> MergeConflict | None:
        if not touching:
            return None
        history = self._history(self._sides.target_history, thing)
        return MergeConflict(
            self._sides.space,
            *thing,
            (),
            tuple(each.event for each in events),
            tuple(event for event in history if event.space_sequence in touching),
        )


class _Merged(NamedTuple):
    document: Any


def _at(conflict: MergeConflict, paths: Sequence[str]) -> MergeConflict:
    c = conflict
    events = c.source_events, c.target_events
    return MergeConflict(c.space, c.type, c.name, c.part, tuple(paths), *events)


def _steps(history: Sequence[Event], chosen: frozenset[int]) -> tuple[list[list[Any]], Any]:
    """Return the changes that some events of a document made, and what all of them came to."""
    thing, document, steps = Thing("json", ""), MISSING, []
    for event in history:
        before = document
        document = content(thing, [event], before)
        if event.space_sequence in chosen:
            steps.append(delta(before, document))
    return steps, document
