"""Records, vectors and sealed secrets as bytes: what layers send and keep, and what they refuse.

A record is the list of its fields in their order, a vector a map, both as MessagePack. Whatever
comes in is checked before anybody works with it: types, sizes, and the digest of every record.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ramax.core.codec import decode, encode
from ramax.core.limits import (
    MAX_INTEGER,
    MAX_PAYLOAD_BYTES,
    check_entity_id,
    check_name,
    check_payload_size,
    check_version,
)
from ramax.core.sealed import SealedSecret, SealedSet, WrappedKey, check_id
from ramax.core.sync.record import EventRecord, is_whole
from ramax.core.sync.vector import Vector
from ramax.errors import CodecError, DataError

MAX_RECORD_BYTES: Final = 2 * MAX_PAYLOAD_BYTES + (1 << 20)
"""No record is larger on its way: a payload and metadata at their limits, tags and the rest."""

_FIELDS: Final = len(EventRecord._fields)


def pack_records(records: Iterable[EventRecord]) -> bytes:
    """Return records as bytes."""
    return encode([list(record) for record in records], "records")


def unpack_records(data: bytes) -> list[EventRecord]:
    """Return the records that `pack_records` wrote.

    Raises:
        DataError: The bytes are none, a field breaks a rule, or a digest is that of another record.
    """
    return records_from(decode(data))


def records_from(form: Any) -> list[EventRecord]:
    """Check a decoded list of records, as `unpack_records`."""
    return [record_from(each) for each in _list(form, "records")]


def record_from(form: Any) -> EventRecord:
    """Check a decoded record.

    Raises:
        DataError: A field breaks a rule, or the digest is that of another record.
    """
    record = fields_from(form)
    if not is_whole(record):
        raise DataError("record", record.uid, "its digest is that of another record")
    return record


def fields_from(form: Any) -> EventRecord:
    """Check every field of a decoded record, and not whether its digest is its own.

    Raises:
        DataError: A field breaks a rule.
    """
    if type(form) is not list or len(form) != _FIELDS:
        raise DataError("record", form, f"must be a list of {_FIELDS}")
    record = EventRecord(*form)
    check_id(record.uid, "uid")
    check_id(record.origin, "origin")
    _check_whole(record.origin_seq, "origin_seq", 1)
    _check_whole(record.stamp, "stamp", 0)
    check_name(record.event_type, "event type")
    check_entity_id(record.entity_id, "entity id")
    check_name(record.format, "format")
    _check_whole(record.timestamp, "timestamp", -MAX_INTEGER)
    check_version(record.version, "version")
    if record.causation is not None:
        check_id(record.causation, "causation")
    if record.correlation_id is not None:
        check_name(record.correlation_id, "correlation_id")
    _check_blob(record.payload, "payload", optional=False)
    _check_blob(record.metadata, "metadata", optional=True)
    _check_blob(record.tags, "tags", optional=True)
    return record


def pack_record(record: EventRecord) -> bytes:
    """Return one record as bytes, damaged or not."""
    return encode(list(record), "record")


def unpack_record(data: bytes) -> EventRecord:
    """Return the record that `pack_record` wrote, damaged or not."""
    return fields_from(decode(data))


def size_of(record: EventRecord) -> int:
    """Return about how many bytes a record takes on its way."""
    return 256 + len(record.payload) + len(record.metadata or b"") + len(record.tags or b"")


def vector_form(vector: Vector) -> dict[bytes, int]:
    """Return a vector as it is written: by origin, so that the same one gives the same bytes."""
    return {origin: vector[origin] for origin in sorted(vector)}


def pack_vector(vector: Vector) -> bytes:
    """Return a vector as bytes."""
    return encode(vector_form(vector), "vector")


def vector_from(form: Any) -> dict[bytes, int]:
    """Check a decoded vector.

    Raises:
        DataError: It is no map of origins to sequences.
    """
    if type(form) is not dict:
        raise DataError("vector", form, "must be a map")
    for origin, seq in form.items():
        check_id(origin, "origin")
        _check_whole(seq, "origin_seq", 0)
    return form


def unpack_vector(data: bytes) -> dict[bytes, int]:
    """Return the vector that `pack_vector` wrote; `DataError` where the bytes are none."""
    return vector_from(decode(data))


def sealed_form(sealed: SealedSet) -> list[list[Any]]:
    """Return sealed secrets as they are written: ciphertext, and what is around it."""
    keys = [[k.key_id, k.provider, k.wrapped, k.stamp, k.origin, k.destroyed] for k in sealed.keys]
    secrets = [[s.name, s.key_id, s.sealed, s.stamp, s.origin, s.deleted] for s in sealed.secrets]
    return [keys, secrets]


def pack_sealed(sealed: SealedSet) -> bytes:
    """Return sealed secrets as bytes."""
    return encode(sealed_form(sealed), "sealed secrets")


def sealed_from(form: Any) -> SealedSet:
    """Check decoded secrets.

    Raises:
        DataError: A field breaks a rule.
    """
    keys, secrets = _fields(form, 2)
    found = SealedSet(
        tuple(WrappedKey(*_fields(each, 6)) for each in _list(keys, "keys")),
        tuple(SealedSecret(*_fields(each, 6)) for each in _list(secrets, "secrets")),
    )
    for key in found.keys:
        key.check()
    for secret in found.secrets:
        secret.check()
    flags = [k.destroyed for k in found.keys] + [s.deleted for s in found.secrets]
    if not all(type(flag) is bool for flag in flags):
        raise DataError("sealed secrets", flags, "destroyed and deleted must be true or false")
    return found


def unpack_sealed(data: bytes) -> SealedSet:
    """Return the secrets that `pack_sealed` wrote; `DataError` where the bytes are none."""
    return sealed_from(decode(data))


def _list(form: Any, what: str) -> list[Any]:
    if type(form) is not list:
        raise DataError(what, form, "must be a list")
    return form


def _fields(form: Any, count: int) -> Sequence[Any]:
    if type(form) is not list or len(form) != count:
        raise DataError("sealed secret", type(form).__name__, f"must be a list of {count}")
    return form


def _check_whole(value: Any, what: str, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_INTEGER:
        raise DataError(what, value, f"must be an int from {least} to 2**63 - 1")


def _check_blob(value: Any, what: str, *, optional: bool) -> None:
    if value is None and optional:
        return
    if type(value) is not bytes:
        raise CodecError(what, type(value).__name__, "must be bytes")
    check_payload_size(value, what)
