"""The rules of the log, without a database."""

from hashlib import sha256

from ramax.core.datatypes import log
from tests.core.datatypes._states import Rules


def test_entries_are_numbered_and_counted_by_type():
    rules = Rules(log.LOG)
    assert rules.do(log.append, [("a", {"n": 1}), ("b.c", {}), ("a", {})]) == [
        ("ramax.log.a", log.ENTITY),
        ("ramax.log.b.c", log.ENTITY),
        ("ramax.log.a", log.ENTITY),
    ]
    state = rules.state
    assert state["head"][0] == 3
    assert (state["t/a"], state["t/b.c"]) == (2, 1)
    assert [state[log.entry_key(n)][0] for n in (1, 2, 3)] == ["a", "b.c", "a"]
    assert rules.refolded() == state


def test_each_hash_covers_the_entry_and_the_hash_before():
    rules = Rules(log.LOG)
    rules.do(log.append, [("a", {"n": 1}), ("a", {"n": 2})])
    first, second = (rules.state[log.entry_key(n)] for n in (1, 2))
    assert first[4] == log.GENESIS
    assert second[4] == first[3]
    assert second[3] == log.entry_hash(2, "a", second[2], {"n": 2}, first[3])


def test_every_field_is_in_the_hash():
    one = log.entry_hash(1, "a", 5, {"n": 1}, log.GENESIS)
    others = {
        log.entry_hash(2, "a", 5, {"n": 1}, log.GENESIS),
        log.entry_hash(1, "b", 5, {"n": 1}, log.GENESIS),
        log.entry_hash(1, "a", 6, {"n": 1}, log.GENESIS),
        log.entry_hash(1, "a", 5, {"n": True}, log.GENESIS),
        log.entry_hash(1, "a", 5, {"n": 1}, sha256().digest()),
    }
    assert one not in others
    assert len(others) == 5


def test_keys_of_entries_order_as_the_sequences_do():
    numbers = [1, 9, 10, 255, 256, 2**40, 2**63 - 1]
    keys = [log.entry_key(n) for n in numbers]
    assert keys == sorted(keys)
