import hashlib

from ramax.core.chain import BEGINNING, HASHED, hashes_of, next_hash
from ramax.core.event_row import EventRow
from ramax.storage.tables import build_tables

ROW = EventRow(1, "e", "t", b"\x81\xa1a\x01", 1_700_000_000_000_000, None, "c", None)
VALUES = [1, "e", "t", b"\x81\xa1a\x01", "msgpack", 1_700_000_000_000_000, None, "c", None, 1, None]

PACKED = bytes.fromhex(
    "9b"  # an array of eleven
    "01"  # sequence
    "a165"  # entity id
    "a174"  # event type
    "c40481a16101"  # payload, as bytes
    "a76d73677061636b"  # format
    "cf00060a24181e4000"  # timestamp
    "c0"  # causation id
    "a163"  # correlation id
    "c0"  # metadata
    "01"  # version
    "c0"  # tags
)


def test_a_hash_is_that_of_the_hash_before_it_and_the_packed_columns():
    assert hashlib.sha256(b"ramax hash chain 1").digest() == BEGINNING
    assert next_hash(BEGINNING, VALUES) == hashlib.sha256(BEGINNING + PACKED).digest()


def test_events_on_their_way_are_hashed_as_they_will_be_stored():
    second = ROW._replace(sequence=2, metadata=b"\x80", causation_id=7, tags=b"\x91\xa1x")
    first_hash, second_hash = hashes_of(BEGINNING, [ROW, second])
    assert first_hash == next_hash(BEGINNING, VALUES)
    stored = [2, *VALUES[1:6], 7, "c", b"\x80", 1, b"\x91\xa1x"]
    assert second_hash == next_hash(first_hash, stored)


def test_every_column_of_an_event_is_hashed_or_left_out_for_a_reason():
    left_out = {
        "event_id": "given by the database: another one gives others",
        "space_id": "likewise",
        "created_at": "of events from before spaces, beside their timestamp",
    }
    for dialect in ("sqlite", "postgresql"):
        columns = {c.name for c in build_tables(dialect).events.c}
        assert columns == {*HASHED, *left_out}
