from datetime import UTC, datetime

from ramax.core.datatypes.log import GENESIS, entry_hash
from ramax.datatypes.log_entry import entry_of, hash_of


def row(payload=None, micros=1_700_000_000_000_001, previous=GENESIS):
    payload = {"n": 1} if payload is None else payload
    return ["call", payload, micros, entry_hash(3, "call", micros, payload, previous), previous]


def test_an_entry_says_what_is_stored_of_it():
    entry = entry_of(3, row())
    assert (entry.sequence, entry.type, entry.payload) == (3, "call", {"n": 1})
    assert entry.timestamp == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)
    assert entry.previous_hash == GENESIS


def test_the_hash_of_an_entry_is_that_of_what_it_says_and_of_the_one_before():
    entry = entry_of(3, row())
    assert hash_of(entry, GENESIS) == entry.hash
    assert hash_of(entry, entry.hash) != entry.hash
    assert hash_of(entry_of(4, row()), GENESIS) != entry.hash
    changed = [*row()[:1], {"n": 2}, *row()[2:]]
    assert hash_of(entry_of(3, changed), GENESIS) != entry.hash
