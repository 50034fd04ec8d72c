"""JSON documents with versions and indexes: the rules."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ramax.core.datatypes import json_index, versioned
from ramax.core.datatypes.datatype import DataType
from ramax.core.datatypes.json_changes import changed, changes_between
from ramax.core.datatypes.json_value import MISSING, Tokens, look
from ramax.core.domain import State
from ramax.values import Event, NewEvent

JSON = DataType("json")
SET = JSON.type("set")
CHANGED = JSON.type("changed")
DELETED = JSON.type("deleted")
INDEX_CREATED = JSON.type("index_created")
INDEX_DROPPED = JSON.type("index_dropped")

INDEXES: Final = "indexes"
"""The key that holds the declared fields, each with the way to its value."""

Edit = Callable[[Any], Any]
"""Makes the new document of the old one, which is `MISSING` where there is none."""


def put(state: State, params: tuple[str, Any, bool, int | None]) -> list[NewEvent]:
    """Replace whole documents: (key, document, whether the version is checked, the version)."""
    key, document, checked, expected = params
    if checked:
        versioned.expect(state, key, expected)
    return _event(state, key, SET, {"value": document})


def edit(state: State, params: tuple[str, Edit]) -> list[NewEvent]:
    """Change a document, or make it; what stays the same is no event."""
    key, change = params
    found = versioned.find(state, key)
    document = change(MISSING if found is None else found.value)
    if found is None:
        return [] if document is MISSING else put(state, (key, document, False, None))
    changes = changes_between(found.value, document)
    return _event(state, key, CHANGED, {"changes": changes}) if changes else []


def put_many(state: State, documents: Mapping[str, Any]) -> list[NewEvent]:
    """Replace several whole documents."""
    return [e for key, value in documents.items() for e in put(state, (key, value, False, None))]


def _event(state: State, key: str, event_type: str, payload: dict[str, Any]) -> list[NewEvent]:
    version = versioned.next_version(state, key)
    return [NewEvent(event_type, payload, entity_id=JSON.id_of(key), metadata=version)]


def delete(state: State, key: str) -> list[NewEvent]:
    """Delete a document that is there."""
    there = versioned.find(state, key) is not None
    return [NewEvent(DELETED, entity_id=JSON.id_of(key))] if there else []


def create_index(state: State, params: tuple[str, Tokens]) -> list[NewEvent]:
    """Declare a field that is not declared yet."""
    field, tokens = params
    if field in state.get(INDEXES, {}):
        return []
    return [NewEvent(INDEX_CREATED, {"field": field, "way": list(tokens)}, entity_id=JSON.name)]


def drop_index(state: State, field: str) -> list[NewEvent]:
    """Forget a declared field."""
    there = field in state.get(INDEXES, {})
    return [NewEvent(INDEX_DROPPED, {"field": field}, entity_id=JSON.name)] if there else []


@JSON.applicator(SET)
def was_set(state: State, event: Event) -> None:
    """The document is this one now."""
    _replace(state, JSON.name_of(event), event.payload["value"])


def makes_one(changes: Iterable[Sequence[Any]]) -> bool:
    """Say whether changes make a document where there is none."""
    return any(kind == "set" and not way for kind, way, *_ in changes)


@JSON.applicator(CHANGED)
def was_changed(state: State, event: Event) -> None:
    """The document has these changes now."""
    key = JSON.name_of(event)
    found = versioned.find(state, key)
    changes = event.payload["changes"]
    if found is None and not makes_one(changes):
        return  # another replica deleted it before
    before = None if found is None else found.value
    old = _indexed(state, before)
    document = changed(before, changes)
    versioned.store(state, key, document)
    _index(state, key, old, _indexed(state, document))


@JSON.applicator(DELETED)
def was_deleted(state: State, event: Event) -> None:
    """The document is gone."""
    key = JSON.name_of(event)
    found = versioned.find(state, key)
    if found is not None:
        _index(state, key, _indexed(state, found.value), {})
        versioned.remove(state, key)


@JSON.applicator(INDEX_CREATED)
def index_was_created(state: State, event: Event) -> None:
    """The field is indexed, in every document."""
    field, tokens = event.payload["field"], event.payload["way"]
    state[INDEXES] = {**state.get(INDEXES, {}), field: tokens}
    for stored in _under(state, versioned.LIVE):
        key = stored[len(versioned.LIVE) :]
        value = look(state[stored][1], tokens)
        if value is not MISSING and json_index.is_indexed(value):
            state[json_index.entry_key(field, value, key)] = key


@JSON.applicator(INDEX_DROPPED)
def index_was_dropped(state: State, event: Event) -> None:
    """The field is not indexed any more."""
    field = event.payload["field"]
    state[INDEXES] = {name: way for name, way in state.get(INDEXES, {}).items() if name != field}
    for entry in _under(state, json_index.entry_prefix(field)):
        del state[entry]


def _replace(state: State, key: str, document: Any) -> None:
    found = versioned.find(state, key)
    old = {} if found is None else _indexed(state, found.value)
    versioned.store(state, key, document)
    _index(state, key, old, _indexed(state, document))


def _indexed(state: State, document: Any) -> dict[str, Any]:
    """Return the values of the declared fields that the document has."""
    fields = state.get(INDEXES)
    if not fields:
        return {}
    values = {field: look(document, way) for field, way in fields.items()}
    return {
        field: value
        for field, value in values.items()
        if value is not MISSING and json_index.is_indexed(value)
    }


def _index(state: State, key: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    before = {json_index.entry_key(field, value, key) for field, value in old.items()}
    after = {json_index.entry_key(field, value, key) for field, value in new.items()}
    for entry in before - after:
        state.pop(entry, None)
    for entry in after - before:
        state[entry] = key


def _under(state: Any, prefix: str) -> list[str]:
    found: list[str] = state.under(prefix)
    return found
