"""The rules of keys and values, without a database."""

from ramax.core.datatypes import kv
from tests.core.datatypes._states import Rules


def test_what_was_put_is_there_until_it_is_deleted():
    rules = Rules(kv.KV)
    rules.do(kv.put, {"a": 1, "b": None})
    assert rules.state == {"a": 1, "b": None}
    assert rules.do(kv.delete, ["a", "never"]) == [("ramax.kv.deleted", "ramax.kv:a")]
    assert rules.state == {"b": None}
    assert rules.refolded() == rules.state


def test_a_key_may_hold_what_separates_the_parts_of_ids():
    rules = Rules(kv.KV)
    rules.do(kv.put, {"ramax.kv:a:b": 1})
    assert rules.state == {"ramax.kv:a:b": 1}
