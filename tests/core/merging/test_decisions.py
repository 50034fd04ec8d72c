"""Who changed what decides: copies, both by path, or a conflict."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ramax.core.datatypes import json, kv
from ramax.core.merging.conflicts import Recorded, resolve
from ramax.core.merging.decisions import decide
from ramax.core.merging.knowledge import Origin
from ramax.core.merging.things import Thing, thing_of
from ramax.errors import MergeConflictError
from ramax.values import Event

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(sequence: int, event_type: str, entity_id: str, payload: dict[str, Any]) -> Event:
    return Event(sequence, 1, sequence, entity_id, event_type, payload, NOW)


def put(sequence: int, value: Any, key: str = "k") -> Event:
    return event(sequence, kv.PUT, kv.KV.id_of(key), {"value": value})


def document(sequence: int, value: Any) -> Event:
    return event(sequence, json.SET, json.JSON.id_of("d"), {"value": value})


def _about(events: list[Event], entity_id: str, inside: bool) -> list[Event]:
    under = f"{entity_id}/"
    return [
        e for e in events if e.entity_id == entity_id or (inside and e.entity_id.startswith(under))
    ]


class TwoSides:
    space = "s"

    def __init__(self, base: list[Event], source: list[Event], target: list[Event]) -> None:
        self._source, self._target = [*base, *source], [*base, *target]
        self.source = [Recorded(each, Origin(1, each.space_sequence)) for each in source]
        self.touched: dict[Thing, frozenset[int]] = {}
        for each in target:
            thing = thing_of(each.entity_id, each.event_type)
            self.touched[thing] = self.touched.get(thing, frozenset()) | {each.space_sequence}

    def source_history(self, entity_id: str, *, inside: bool = False) -> list[Event]:
        return _about(self._source, entity_id, inside)

    def target_history(self, entity_id: str, *, inside: bool = False) -> list[Event]:
        return _about(self._target, entity_id, inside)


def test_what_only_the_source_changed_goes_over_in_order():
    sides = TwoSides([], [put(1, "a"), put(2, "b", "other"), put(3, "c")], [])
    found = resolve(decide(sides), "fail")
    assert [each.event.space_sequence for each in found.copies] == [1, 2, 3]
    assert not found.new


def test_the_default_overwrites_nothing_that_both_changed():
    sides = TwoSides([put(1, 0)], [put(2, "theirs")], [put(2, "ours")])
    with pytest.raises(MergeConflictError) as raised:
        resolve(decide(sides), "fail")
    assert "kv 'k' of space 's'" in str(raised.value.conflicts[0])
    assert not resolve(decide(sides), "ours").copies
    assert len(resolve(decide(sides), "theirs").copies) == 1


def test_documents_merge_where_paths_do_not_meet():
    base = document(1, {"a": 1, "b": {"c": 1}})
    source = [document(2, {"a": 2, "b": {"c": 1}})]
    found = resolve(
        decide(TwoSides([base], source, [document(2, {"a": 1, "b": {"c": 2}})])), "fail"
    )
    assert [new.payload for new, _ in found.new] == [{"changes": [["set", ["a"], 2]]}]


def test_documents_conflict_where_one_path_leads_into_the_other():
    base = document(1, {"b": {"c": 1}})
    sides = TwoSides([base], [document(2, {"b": {}})], [document(2, {"b": 0})])
    with pytest.raises(MergeConflictError) as raised:
        resolve(decide(sides), "fail")
    assert raised.value.conflicts[0].paths == ("/b/c",)
