"""What a thing of a data type comes to by its events, and the events that make it something else.

The content of a key or cell is its value, of a document the document, of a vector its data and
metadata, of a collection dimension, metric and vectors; `MISSING` where there is none.
"""

from collections.abc import Iterable
from typing import Any, Final

from ramax.core.datatypes import cells, json, kv, vectors
from ramax.core.datatypes.json_value import MISSING
from ramax.core.equality import same_value
from ramax.core.merging.json_paths import DoesNotApplyError, delta, together
from ramax.core.merging.things import Thing
from ramax.values import Event, NewEvent

LAST_WINS: Final = frozenset({"kv", "cells"})
"""Types whose last event says everything."""

_GONE: Final = frozenset(
    {kv.DELETED, cells.DELETED, json.DELETED, vectors.DELETED, vectors.DROPPED}
)
_SET: Final = frozenset({kv.PUT, cells.SET, json.SET})


def content(thing: Thing, events: Iterable[Event], before: Any = MISSING) -> Any:
    """Return what events make of a content.

    Raises:
        DoesNotApplyError: An event needs something that is not there.
    """
    if thing.type == "vectors" and thing.part is None:
        return _collection(events, before)
    found = before
    for event in events:
        found = _after(found, event)
    return found


def _after(before: Any, event: Event) -> Any:
    kind, payload = event.event_type, event.payload
    if kind in _GONE:
        return MISSING
    if kind in _SET:
        return payload["value"]
    if kind == json.CHANGED:
        return together(None if before is MISSING else before, [payload["changes"]])
    if kind == vectors.UPSERTED:
        return (payload["vector"], payload["metadata"])
    return before


def _collection(events: Iterable[Event], before: Any) -> Any:
    found = None if before is MISSING else [before[0], before[1], dict(before[2])]
    for event in events:
        kind, payload = event.event_type, event.payload
        if kind == vectors.DROPPED:
            found = None
        elif kind == vectors.CREATED:
            found = [payload["dimension"], payload["metric"], {}]
        elif found is None:
            raise DoesNotApplyError
        else:
            _keep_vector(found[0], found[2], event)
    return MISSING if found is None else tuple(found)


def _keep_vector(dimension: int, held: dict[str, Any], event: Event) -> None:
    key = vectors.VECTORS.name_of(event).partition("/")[2]
    if event.event_type == vectors.DELETED:
        held.pop(key, None)
    elif len(event.payload["vector"]) // vectors.FLOAT_BYTES != dimension:
        raise DoesNotApplyError
    else:
        held[key] = (event.payload["vector"], event.payload["metadata"])


def same_content(one: Any, other: Any) -> bool:
    """Compare two contents."""
    if one is MISSING or other is MISSING:
        return one is other
    return same_value(one, other)


def making(thing: Thing, wanted: Any, now: Any) -> list[NewEvent]:
    """Return the events that give a thing a content in place of the one it has now.

    A collection is made anew.
    """
    if thing.type == "vectors":
        return _making_vectors(thing, wanted, now)
    gone, put = {
        "kv": (kv.DELETED, kv.PUT),
        "cells": (cells.DELETED, cells.SET),
        "json": (json.DELETED, json.SET),
    }[thing.type]
    if wanted is MISSING:
        return [] if now is MISSING else [NewEvent(gone, entity_id=thing.entity_id)]
    if thing.type == "json" and now is not MISSING:
        changes = {"changes": delta(now, wanted)}
        return [NewEvent(json.CHANGED, changes, entity_id=thing.entity_id)]
    return [NewEvent(put, {"value": wanted}, entity_id=thing.entity_id)]


def _making_vectors(thing: Thing, wanted: Any, now: Any) -> list[NewEvent]:
    if thing.part is not None:
        if wanted is MISSING:
            gone = NewEvent(vectors.DELETED, entity_id=thing.entity_id)
            return [] if now is MISSING else [gone]
        return [_upserted(thing, wanted)]
    found: list[NewEvent] = []
    if now is not MISSING:
        found.append(NewEvent(vectors.DROPPED, entity_id=thing.entity_id))
    if wanted is not MISSING:
        dimension, metric, held = wanted
        payload = {"dimension": dimension, "metric": metric}
        found.append(NewEvent(vectors.CREATED, payload, entity_id=thing.entity_id))
        found += [_upserted(thing._replace(part=key), each) for key, each in held.items()]
    return found


def _upserted(thing: Thing, vector: Any) -> NewEvent:
    payload = {"vector": vector[0], "metadata": vector[1]}
    return NewEvent(vectors.UPSERTED, payload, entity_id=thing.entity_id)
