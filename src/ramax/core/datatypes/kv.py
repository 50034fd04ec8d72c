"""Keys and values: the rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.values import Event, NewEvent


class _KeyValues(DataType):
    """A key is an entity, and all that its events touch."""

    def keys_of(self, entity_id: str) -> Sequence[str]:
        return [self.prefix + self.own_name(entity_id)]


KV = _KeyValues("kv", replaces=True)
PUT = KV.type("put")
DELETED = KV.type("deleted")


def put(_state: State, values: Mapping[str, Any]) -> list[NewEvent]:
    """Put values under keys."""
    return [
        NewEvent(PUT, {"value": value}, entity_id=KV.id_of(key)) for key, value in values.items()
    ]


def delete(state: State, keys: Iterable[str]) -> list[NewEvent]:
    """Delete those keys that are there."""
    return [NewEvent(DELETED, entity_id=KV.id_of(key)) for key in keys if key in state]


@KV.applicator(PUT)
def was_put(state: State, event: Event) -> None:
    """The key has this value now."""
    state[KV.name_of(event)] = event.payload["value"]


@KV.applicator(DELETED)
def was_deleted(state: State, event: Event) -> None:
    """The key is gone."""
    state.pop(KV.name_of(event), None)
