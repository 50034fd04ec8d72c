"""New events on their way into the log: checked against every rule, and packed into rows."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ramax.core.codec import encode_payload
from ramax.core.domain import OWN_TYPES, Domain
from ramax.core.event_row import EventRow, row_of
from ramax.core.limits import (
    MAX_PAYLOAD_BYTES,
    check_entity_id,
    check_name,
    check_optional_id,
    check_payload_size,
    check_version,
)
from ramax.core.tags import checked_tags, pack_tags
from ramax.errors import DataError, MisuseError
from ramax.values import NewEvent


class Causes(NamedTuple):
    """What the events of a command inherit unless they say otherwise."""

    causation_id: int | None = None
    correlation_id: str | None = None


def checked_events(result: object, source: object) -> Sequence[NewEvent]:
    """Return what a command gave, or a caller, if it is new events and nothing else.

    Raises:
        MisuseError: It is something else; the message names ``source``.
    """
    if type(result) is list:
        for event in result:
            if type(event) is not NewEvent:
                break
        else:
            return result
    name = getattr(source, "__qualname__", source)
    if inspect.iscoroutine(result):
        result.close()
        raise MisuseError(f"{name} is async; commands are plain functions without I/O")
    if isinstance(result, (str, bytes, Mapping)) or not isinstance(result, Iterable):
        raise MisuseError(
            f"{name} must give a list of NewEvent, got {type(result).__name__}: {result!r:.80}"
        )
    events = list(result)
    for event in events:
        if not isinstance(event, NewEvent):
            raise MisuseError(
                f"{name} must give NewEvent items, got {type(event).__name__}: {event!r:.80}"
            )
    return events


def encode_event(
    domain: Domain | None, new: NewEvent, causes: Causes, sequence: int, micros: int
) -> EventRow:
    """Check one new event against every rule and pack it.

    Raises:
        DataError: A field breaks a rule; the message names it. CodecError for its payload.
    """
    event_type = new.event_type
    places = _places(event_type) if type(event_type) is str else _Places(event_type)
    if places.own and (domain is None or not domain.own):
        raise DataError("event type", event_type, _NOT_YOURS)
    payload = encode_payload(new.payload, places.payload)
    if len(payload) > MAX_PAYLOAD_BYTES:
        check_payload_size(payload, places.payload)
    entity_id = new.entity_id
    if entity_id is None and domain is not None:
        entity_id = domain.entity_of(event_type, new.payload)
    if entity_id is None:
        raise DataError(
            "event",
            event_type,
            "has no entity id; give NewEvent(entity_id=…) or Domain(entity_id=…)",
        )
    check_entity_id(entity_id, places.entity_id)
    causation_id = causes.causation_id if new.causation_id is None else new.causation_id
    correlation_id = causes.correlation_id if new.correlation_id is None else new.correlation_id
    if causation_id is not None or correlation_id is not None:
        check_optional_id(causation_id, correlation_id)
    metadata = None
    if new.metadata is not None:
        metadata = encode_payload(new.metadata, places.metadata)
        check_payload_size(metadata, places.metadata)
    version = new.version
    if version is not None or (domain is not None and domain.has_versions):
        version = _written_version(domain, event_type, version)
    tags = None
    if new.tags is not _NO_TAGS:  # the default, which is one object
        tags = pack_tags(checked_tags(new.tags, places.tags))
    return row_of(
        (
            sequence,
            entity_id,
            event_type,
            payload,
            micros,
            causation_id,
            correlation_id,
            metadata,
            1 if version is None else version,
            tags,
        )
    )


def _written_version(domain: Domain | None, event_type: str, version: int | None) -> int:
    if domain is not None:
        return domain.written_version(event_type, version)
    check_version(version, f"version of {event_type}")
    return version or 1


_NOT_YOURS = "types that begin with 'ramax.' are those of ramax's data types; use store.kv, …"
_NO_TAGS: Final = NewEvent("").tags


class _Places:
    """What the parts of an event of one type are called in errors; made once for each type."""

    __slots__ = ("entity_id", "metadata", "own", "payload", "tags")

    def __init__(self, event_type: str) -> None:
        check_name(event_type, "event type")
        self.own = event_type.startswith(OWN_TYPES)
        self.payload = f"payload of {event_type}"
        self.entity_id = f"entity id of {event_type}"
        self.metadata = f"metadata of {event_type}"
        self.tags = f"tags of {event_type}"


_places = lru_cache(maxsize=4096)(_Places)
