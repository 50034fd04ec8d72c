"""Named cells that hold one versioned value each: the rules."""

from collections.abc import Callable, Sequence
from typing import Any

from ramax.core.datatypes import versioned
from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.values import Event, NewEvent


class _Cells(DataType):
    """A cell is an entity; its events touch its value, and the last version of one that is gone."""

    def keys_of(self, entity_id: str) -> Sequence[str]:
        return [self.prefix + key for key in versioned.keys_of(self.own_name(entity_id))]


CELLS = _Cells("cells")
SET = CELLS.type("set")
DELETED = CELLS.type("deleted")


def put(state: State, params: tuple[str, Any]) -> list[NewEvent]:
    """Give a cell a value."""
    name, value = params
    version = versioned.next_version(state, name)
    return [NewEvent(SET, {"value": value}, entity_id=CELLS.id_of(name), metadata=version)]


def init(state: State, params: tuple[str, Any]) -> list[NewEvent]:
    """Give a cell a value where it has none."""
    return [] if versioned.find(state, params[0]) is not None else put(state, params)


def cas(state: State, params: tuple[str, Any, int | None]) -> list[NewEvent]:
    """Give a cell a value where it has the expected version."""
    name, value, expected = params
    versioned.expect(state, name, expected)
    return put(state, (name, value))


def transition(state: State, params: tuple[str, Callable[[Any], Any]]) -> list[NewEvent]:
    """Give a cell the value that a function makes of the one it has, None if it has none."""
    name, function = params
    found = versioned.find(state, name)
    return put(state, (name, function(None if found is None else found.value)))


def delete(state: State, name: str) -> list[NewEvent]:
    """Delete a cell that is there."""
    there = versioned.find(state, name) is not None
    return [NewEvent(DELETED, entity_id=CELLS.id_of(name))] if there else []


@CELLS.applicator(SET)
def was_set(state: State, event: Event) -> None:
    """The cell has this value now, and one version more."""
    versioned.store(state, CELLS.name_of(event), event.payload["value"])


@CELLS.applicator(DELETED)
def was_deleted(state: State, event: Event) -> None:
    """The cell is gone."""
    versioned.remove(state, CELLS.name_of(event))
