"""Linking in applicators, over a plain dict."""

from typing import Any

import pytest

from ramax import Ref
from ramax.core.linking import create_linked
from ramax.errors import DataError

DECK = Ref("deck:d1")


def test_both_ends_refer_to_each_other():
    state = {"deck:d1": {"name": "Spanish"}}
    ref = create_linked(state, "card:c1", {"front": "uno"}, parent="deck:d1", collection="cards")
    assert ref == Ref("card", "c1")
    assert state == {
        "deck:d1": {"name": "Spanish", "cards": {"c1": ref}},
        "card:c1": {"front": "uno", "deck": DECK},
    }


def test_a_list_takes_each_reference_once():
    state = {"deck:d1": {"cards": [Ref("card:c0")]}}
    for _ in range(2):
        create_linked(state, "card:c1", {}, parent="deck:d1", collection="cards")
    assert state["deck:d1"]["cards"] == [Ref("card:c0"), Ref("card:c1")]


def test_ids_may_hold_dots_and_colons_and_the_field_may_be_named():
    state: dict[str, Any] = {"deck:d1": {}}
    create_linked(state, "card:a.b:c", {}, parent="deck:d1", collection="cards", field="in")
    create_linked(state, "plain", {}, parent="deck:d1", collection="cards")
    assert state["deck:d1"]["cards"] == {"a.b:c": Ref("card:a.b:c"), "plain": Ref("plain")}
    assert state["card:a.b:c"] == {"in": DECK}


def test_the_data_stays_the_callers():
    data = {"front": "uno"}
    create_linked({"deck:d1": {}}, "card:c1", data, parent="deck:d1", collection="cards")
    assert data == {"front": "uno"}


def test_a_missing_parent_is_a_key_error_and_nothing_is_written():
    state: dict[str, object] = {}
    with pytest.raises(KeyError):
        create_linked(state, "card:c1", {}, parent="deck:d1", collection="cards")
    assert state == {}


@pytest.mark.parametrize("parent", [5, [], {"cards": 5}, {"cards": {Ref("x")}}])
def test_what_cannot_hold_links_is_refused_and_nothing_is_written(parent):
    state = {"deck:d1": parent}
    with pytest.raises(DataError):
        create_linked(state, "card:c1", {}, parent="deck:d1", collection="cards")
    assert set(state) == {"deck:d1"}
