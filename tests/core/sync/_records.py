"""Records as replicas would have made them, without a database."""

from typing import Any

from ramax.core.codec import encode
from ramax.core.sync.record import EventRecord, digest_of
from ramax.core.sync.vector import Vector

ANNE, BOB, CARL = (letter * 16 for letter in (b"a", b"b", b"c"))


def record(origin: bytes, seq: int, value: Any = None, /, **changed: Any) -> EventRecord:
    """The event ``seq`` of an origin; ``value`` is what its payload holds."""
    said: dict[str, Any] = {
        "uid": origin[:8] + seq.to_bytes(8, "big"),
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
    """The events ``first`` to ``last`` of an origin."""
    return [record(origin, seq, f"{origin[:1].decode()}{seq}") for seq in range(first, last + 1)]


def vector_of(found: list[EventRecord]) -> Vector:
    return {each.origin: each.origin_seq for each in sorted(found, key=lambda r: r.origin_seq)}
