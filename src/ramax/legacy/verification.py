"""Folding an old space by a domain of today, and comparing that with its old pstate."""

from collections.abc import Callable, Iterator
from typing import Any

from ramax.core.codec import decode, decode_tagged
from ramax.core.domain import Domain
from ramax.core.fold import fold
from ramax.core.schema import NO_SCHEMA, Schema
from ramax.core.state import SpaceState
from ramax.errors import SchemaError
from ramax.legacy.pages import take
from ramax.legacy.records import LegacyEvent, LegacyValue
from ramax.legacy.report import Difference
from ramax.storage.spill import Spill
from ramax.values import Event, applied_event

NewId = Callable[[int], int | None]


def fold_events(
    domain: Domain,
    events: Iterator[LegacyEvent],
    space_name: str,
    new_id: NewId,
    into: Spill,
) -> None:
    """Fold all events of one space, in pages; ``new_id`` rewrites their causation ids.

    Raises:
        FoldError: An applicator failed.
    """
    while page := take(events):
        state = SpaceState(into)
        applied = domain.upcast((_applied(event, new_id) for event in page), space_name)
        fold(domain, state, applied, space_name)
        into.update(state.written)


def _applied(event: LegacyEvent, new_id: NewId) -> Event:
    return applied_event(
        event.space_sequence,
        event.entity_id,
        event.event_type,
        decode_tagged(event.payload, event.format),
        event.timestamp,
        None if event.causation_id is None else new_id(event.causation_id),
        event.correlation_id,
        None,
    )


def differences(
    folded: Spill,
    values: Iterator[LegacyValue],
    space_name: str,
    memory: int,
    schema: Schema = NO_SCHEMA,
) -> list[Difference]:
    """Compare a fold with the old pstate, value by value and type by type; in key order.

    Old values count in the shape that ``schema`` gives them when they are read. One that it cannot
    bring there differs.

    ``memory``: bytes that may be taken to remember which keys were seen.
    """
    found: list[Difference] = []
    seen = Spill(memory)
    try:
        while page := take(values):
            for value in page:
                new = folded.load(value.key)
                if new is None:
                    found.append(Difference(space_name, value.key, "only in the old pstate"))
                elif not _is_same(schema.read(value.key, decode(new)), _as_read(schema, value)):
                    found.append(Difference(space_name, value.key, "differs"))
            seen.update({value.key: b"" for value in page})
        for key, _ in folded.walk():
            if seen.load(key) is None:
                found.append(Difference(space_name, key, "only in the fold"))
    finally:
        seen.close()
    return sorted(found, key=lambda each: each.key)


def _as_read(schema: Schema, value: LegacyValue) -> Any:
    try:
        return schema.read(value.key, decode_tagged(value.value, value.format))
    except SchemaError:
        return _UNREADABLE


_UNREADABLE = object()


def _is_same(one: Any, other: Any) -> bool:
    """Compare types too, since 1 == 1.0 == True; dicts whatever their order."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is dict:
        return _by_type(one) == _by_type(other) and all(
            _is_same(item, other[key]) for key, item in one.items()
        )
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(_is_same, one, other))
    if kind is set:
        return _by_type(one) == _by_type(other)
    return bool(one == other)


def _by_type(keys: Any) -> set[tuple[type, Any]]:
    return {(type(key), key) for key in keys}
