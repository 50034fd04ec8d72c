"""What another replica wrote with the data types, at a time and under a stamp of its own."""

from typing import Any

from ramax.core.codec import encode
from ramax.core.sync.record import EventRecord
from ramax.testing.records import record

PHONE = b"device-of-origin"


def wrote(seq: int, what: str, name: str, payload: Any, ms: int, **changed: Any) -> EventRecord:
    """Return an event ``what`` (``"kv.put"``) about something of a data type, at a time in ms."""
    entity = f"ramax.{what.partition('.')[0]}"
    said = {
        "event_type": f"ramax.{what}",
        "entity_id": f"{entity}:{name}" if name else entity,
        "payload": encode(payload, "payload"),
        "stamp": ms << 16,
        "timestamp": ms * 1000,
    }
    return record(PHONE, seq, **(said | changed))
