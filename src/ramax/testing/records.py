"""Records as replicas would have made them, without a database."""

from hashlib import blake2b
from typing import Any

from ramax.core.codec import encode
from ramax.core.sync.record import EventRecord, digest_of


def record(origin: bytes, seq: int, value: Any = None, /, **changed: Any) -> EventRecord:
    """Return the event ``seq`` of an origin; ``value`` is what its payload holds."""
    said: dict[str, Any] = {
        "uid": blake2b(origin, digest_size=8).digest() + seq.to_bytes(8, "big"),
        "origin": origin,
        "origin_seq": seq,
        "stamp": seq << 16,
        "event_type": "note.written",
        "entity_id": f"note:{seq}",
        "payload": encode({"value": value}, "payload"),
        "format": "msgpack",
        "timestamp": seq * 1000,
        "version": 1,
        "causation": None,
        "correlation_id": None,
        "metadata": None,
        "tags": None,
    } | changed
    return EventRecord(**said, digest=digest_of(*said.values()))


def records(origin: bytes, first: int, last: int) -> list[EventRecord]:
    """Return the events ``first`` to ``last`` of an origin."""
    return [record(origin, seq, f"{origin.hex()[:2]} {seq}") for seq in range(first, last + 1)]
