"""Whether the event of another replica can be read and folded at all, before it is taken.

A payload is opaque on its way. Where it is to stay, it has to be one: what an applicator of a data
type cannot even begin with would stop every later command of the space.
"""

from collections.abc import Mapping

from ramax.core.codec import decode
from ramax.core.datatypes import TYPES
from ramax.core.domain import OWN_TYPES
from ramax.core.mapping import WriteState
from ramax.core.state import Packed, SpaceState
from ramax.core.sync.record import EventRecord
from ramax.core.tags import unpack_tags
from ramax.errors import CodecError, DataError, RamaxError
from ramax.values import applied_event


def check_sound(record: EventRecord) -> None:
    """Refuse an event that nobody could fold; one of a type that is not known here is not refused.

    Raises:
        DataError: Payload or metadata is no mapping, tags are no texts, or a data type of ramax
            cannot be what this says.
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
    if datatype is None:
        return
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
    part = WriteState(SpaceState(_Nothing()), datatype.schema, datatype.prefix)
    try:
        datatype.apply(part, event)
        part.settle()
    except RamaxError:
        return  # of a newer version, or it says no by itself
    except Exception as error:
        rule = f"is no {record.event_type}: {type(error).__name__}: {error}"
        raise DataError("record", record.uid, rule) from error


class _Nothing:
    """A space without values."""

    def load(self, _key: str) -> Packed | None:
        return None

    def load_range(self, _low: str, _high: str) -> Mapping[str, Packed]:
        return {}
