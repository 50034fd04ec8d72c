"""What is kept of a text: updates as opaque bytes, folded without knowing what they say."""

from itertools import permutations
from typing import Any

import pytest

from ramax.core.datatypes import text as rules
from ramax.core.datatypes.text import Contents, Edited, Pack
from ramax.core.datatypes.text_codec import CrdtCodec, CrdtText
from ramax.values import Event, applied_event
from tests.core.datatypes._trees import Keyed


def event(number: int, event_type: str, payload: dict[str, Any]) -> Event:
    entity_id = rules.TEXT.id_of("t")
    return applied_event(number, entity_id, event_type, payload, number, None, None, None)


def edited(number: int, update: bytes) -> Event:
    return event(number, rules.EDITED, {"update": update})


def folded(events: Any) -> Keyed:
    state = Keyed()
    for each in events:
        rules.TEXT.apply(state, each)
    return state


def test_a_text_that_nobody_edited_has_no_mark_and_no_updates():
    contents = Contents({}, "t")
    assert contents.head == rules.Head(b"", 0, b"")
    assert contents.keys() == []


def test_edits_come_to_the_same_in_any_order():
    events = [edited(number, b"%d" % number) for number in range(4)]
    states = [folded(order) for order in permutations(events)]
    assert all(state == states[0] for state in states)
    contents = Contents(states[0], "t")
    assert contents.updates(contents.keys()) == [b"0", b"1", b"2", b"3"]


def test_a_repeated_update_is_kept_once():
    contents = Contents(folded([edited(1, b"x"), edited(1, b"x")]), "t")
    assert len(contents.keys()) == 1


def test_a_pack_stands_for_what_it_replaces_and_keeps_the_mark():
    before = folded([edited(1, b"x"), edited(2, b"y"), edited(3, b"z")])
    replaces = [rules.digest_of(update) for update in (b"x", b"y")]
    payload = {"update": b"xy", "version": b"v", "replaces": replaces}
    rules.TEXT.apply(before, event(4, rules.PACKED, payload))
    contents = Contents(before, "t")
    assert contents.keys() == [rules.pack_key("t", b"xy"), rules.loose_key("t", b"z")]
    assert (
        contents.head.mark
        == Contents(folded([edited(1, b"x"), edited(2, b"y"), edited(3, b"z")]), "t").head.mark
    )
    assert contents.head[1:] == (1, b"v")


def test_texts_do_not_touch_each_other():
    state = folded([edited(1, b"x")])
    assert Contents(state, "u").keys() == []
    assert Contents(state, "t/u").keys() == []


@pytest.mark.parametrize("update", ["text", 1, [b"x"]])
def test_what_is_no_bytes_is_not_folded(update):
    with pytest.raises(ValueError, match=r"text|1|x"):
        folded([event(1, rules.EDITED, {"update": update})])


def test_an_editor_that_does_nothing_writes_nothing():
    assert rules.edit({}, ("t", lambda _contents: Edited(None))) == []


def test_a_pack_replaces_the_loose_updates_and_the_new_one():
    state = folded([edited(1, b"x")])
    first, second = rules.edit(state, ("t", lambda _: Edited(b"y", Pack(b"xy", b"v"))))
    assert (first.event_type, first.payload) == (rules.EDITED, {"update": b"y"})
    assert second.payload["replaces"] == sorted(map(rules.digest_of, (b"x", b"y")))


def test_a_plain_dict_will_do_as_a_state():
    state = dict(folded([edited(1, b"x")]))
    assert Contents(state, "t").keys() == [rules.loose_key("t", b"x")]


def test_a_codec_opens_texts():
    assert {"open"} <= set(dir(CrdtCodec))
    assert {"text", "merge", "replace", "version", "since"} <= set(dir(CrdtText))
