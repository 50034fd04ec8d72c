"""Whether the event of another replica can be read and folded at all, before it is taken.

A payload is opaque on its way. Where it is to stay, it has to be one: what an applicator of a data
type cannot even begin with would stop every later command of the space.
"""

from typing import NamedTuple

from ramax.core.codec import FORMAT_MSGPACK, decode
from ramax.core.datatypes import TYPES
from ramax.core.domain import OWN_TYPES
from ramax.core.mapping import WriteState
from ramax.core.state import NothingStored, SpaceState
from ramax.core.sync.record import REFUSED, EventRecord, is_whole
from ramax.core.tags import unpack_tags
from ramax.errors import CodecError, DataError, RamaxError
from ramax.values import applied_event

DAMAGED = "sync.damaged"
"""Code of a record whose digest is that of another one: it may come again, whole."""

UNSOUND = "sync.unsound"
"""Code of an event that nobody could fold, or that this version of ramax cannot."""


class Refusal(NamedTuple):
    """Why a record is not taken, as a code and in words."""

    code: str
    reason: str


def refusal_of(record: EventRecord) -> Refusal | None:
    """Say why a record that is one by its fields is not to be taken; None: it is."""
    if not is_whole(record):
        return Refusal(DAMAGED, "its digest is that of another record")
    if record.format != FORMAT_MSGPACK:
        return Refusal(UNSOUND, f"its format is {record.format!r}, not {FORMAT_MSGPACK!r}")
    try:
        check_sound(record)
    except DataError as error:
        return Refusal(UNSOUND, str(error))
    return None


def check_sound(record: EventRecord) -> None:
    """Refuse an event that nobody could fold; one of a type of an application is not refused.

    Raises:
        DataError: Payload or metadata is no mapping, tags are no texts, or a data type of ramax
            cannot be what this says, or is not known to this version.
    """
    try:
        payload = decode(record.payload)
        metadata = None if record.metadata is None else decode(record.metadata)
        tags = unpack_tags(record.tags)
    except (CodecError, TypeError, ValueError) as error:
        raise DataError("record", record.uid, f"cannot be read: {error}") from error
    if type(payload) is not dict or type(metadata) not in {dict, type(None)}:
        raise DataError("record", record.uid, "its payload and metadata must be mappings")
    if not all(type(tag) is str for tag in tags):
        raise DataError("record", record.uid, "its tags must be texts")
    if record.event_type.startswith(OWN_TYPES):
        _check_own(record, payload)


def _check_own(record: EventRecord, payload: dict[str, object]) -> None:
    """Fold an event of a data type into nothing, to see whether it is one."""
    datatype = TYPES.get(".".join(record.event_type.split(".", 2)[:2]))
    if datatype is None or (
        datatype.event_types and record.event_type not in datatype.event_types
    ):  # folding it would stop every command of the space
        raise DataError("event type", record.event_type, "is not known to this version of ramax")
    if record.event_type == REFUSED:
        raise DataError("event type", record.event_type, "is never one of a record")
    event = applied_event(
        record.stamp,
        record.entity_id,
        record.event_type,
        payload,
        record.timestamp,
        None,
        record.correlation_id,
        None,
    )
    part = WriteState(SpaceState(NothingStored()), datatype.schema, datatype.prefix)
    try:
        datatype.apply(part, event)
        part.settle()
    except RamaxError:
        return  # it says no by itself
    except Exception as error:
        rule = f"is no {record.event_type}: {type(error).__name__}: {error}"
        raise DataError("record", record.uid, rule) from error
