"""What is written comes back as it was; what is no record, vector or secret is refused."""

from typing import Any

import pytest

from ramax.core.codec import encode
from ramax.core.sealed import SealedSecret, SealedSet, WrappedKey
from ramax.core.sync.wire import (
    MAX_RECORD_BYTES,
    pack_records,
    pack_sealed,
    pack_vector,
    records_from,
    sealed_from,
    size_of,
    unpack_records,
    unpack_sealed,
    unpack_vector,
    vector_from,
)
from ramax.errors import DataError
from tests._each import each
from tests.core.sync._records import ANNE, BOB, record, records

SEALED = SealedSet(
    (WrappedKey(ANNE, "file", b"wrapped", 7, BOB), WrappedKey(BOB, "file", b"proof", 8, BOB, True)),
    (SealedSecret("api", ANNE, b"sealed", 7, BOB), SealedSecret("old", ANNE, b"", 9, BOB, True)),
)


@each("value", [{}, [], None, 0, "", False, 2**63, -(2**80), 'a "quoted" key', "żółć", {"ä": "z"}])
async def test_a_payload_comes_back_byte_for_byte(value: Any):
    """B9: empty containers, None, 0, "", False, big integers, quotes and non-ASCII survive."""
    found = [record(ANNE, 1, value, metadata=encode({"m": value}, "m"), tags=encode(["t"], "t"))]
    assert unpack_records(pack_records(found)) == found


def test_records_of_several_origins_keep_their_order():
    found = [*records(ANNE, 1, 3), *records(BOB, 1, 2), record(ANNE, 4, causation=BOB)]
    assert unpack_records(pack_records(found)) == found


@each(
    "changed",
    [
        {"uid": b"short"},
        {"origin": "text"},
        {"origin_seq": 0},
        {"origin_seq": True},
        {"stamp": -1},
        {"stamp": 2**63},
        {"event_type": ""},
        {"entity_id": "x" * 1025},
        {"format": None},
        {"payload": "text"},
        {"payload": None},
        {"timestamp": 1.5},
        {"version": 0},
        {"causation": b"short"},
        {"correlation_id": ""},
        {"metadata": "text"},
        {"tags": []},
    ],
)
async def test_a_field_that_no_replica_would_write_is_refused(changed: dict[str, Any]):
    with pytest.raises(DataError):
        unpack_records(pack_records([record(ANNE, 1, **changed)]))


def test_a_record_that_was_changed_on_the_way_is_refused():
    changed = record(ANNE, 1)._replace(entity_id="note:other")
    with pytest.raises(DataError, match="digest"):
        unpack_records(pack_records([changed]))


@each("form", [None, {}, [None], [[]], [[1] * 15], [list(record(ANNE, 1))[:-1]]])
async def test_what_is_no_list_of_records_is_refused(form: Any):
    with pytest.raises(DataError):
        records_from(form)


@each("data", [b"", b"\xc1", pack_records(records(ANNE, 1, 2))[:-3], b"\x90\x90"])
async def test_bytes_that_are_cut_or_run_on_are_refused(data: bytes):
    with pytest.raises(DataError):
        unpack_records(data)


def test_a_payload_beyond_its_limit_is_refused_and_one_at_it_fits():
    at_limit = record(ANNE, 1, payload=bytes(16 * 1024 * 1024))
    assert len(pack_records([at_limit])) < size_of(at_limit) + 256 < MAX_RECORD_BYTES
    assert unpack_records(pack_records([at_limit])) == [at_limit]
    with pytest.raises(DataError):
        unpack_records(pack_records([record(ANNE, 1, payload=bytes(16 * 1024 * 1024 + 1))]))


def test_the_same_vector_gives_the_same_bytes():
    assert pack_vector({ANNE: 1, BOB: 2}) == pack_vector({BOB: 2, ANNE: 1})
    assert unpack_vector(pack_vector({ANNE: 1, BOB: 2})) == {ANNE: 1, BOB: 2}
    assert unpack_vector(pack_vector({})) == {}


@each("form", [None, [], {"text": 1}, {b"short": 1}, {ANNE: -1}, {ANNE: None}, {ANNE: 2**63}])
async def test_what_is_no_vector_is_refused(form: Any):
    with pytest.raises(DataError):
        vector_from(form)


def test_sealed_secrets_come_back():
    assert unpack_sealed(pack_sealed(SEALED)) == SEALED
    assert unpack_sealed(pack_sealed(SealedSet())) == SealedSet()


@each(
    "form",
    [
        None,
        [],
        [[], [], []],
        [None, []],
        [[[ANNE]], []],
        [[[b"short", "file", b"", 1, BOB, False]], []],
        [[[ANNE, "file", b"", 1, BOB, 0]], []],
        [[], [["", ANNE, b"", 1, BOB, False]]],
        [[], [["api", ANNE, "text", 1, BOB, False]]],
    ],
)
async def test_what_is_no_set_of_secrets_is_refused(form: Any):
    with pytest.raises(DataError):
        sealed_from(form)
