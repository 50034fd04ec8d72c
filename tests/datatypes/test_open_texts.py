"""Texts that stay open: never two edits of one name, whatever is rolled back, copied or forked."""

import os

import pytest

from ramax.core.datatypes import text as rules
from ramax.core.datatypes.text import Contents
from ramax.datatypes.loro_codec import LoroCodec
from ramax.datatypes.open_texts import Edit, OpenTexts
from ramax.errors import CrdtError, DataError
from tests.core.datatypes._trees import Keyed
from tests.datatypes._texts import committed, text_of


class Counting(LoroCodec):
    """Counts how often a text is opened from nothing."""

    def __init__(self):
        self.opened = 0

    def open(self, updates):
        self.opened += 1
        return super().open(updates)


@pytest.fixture
def texts():
    return OpenTexts(Counting(), 4)


def adding(texts, letters):
    return Edit("t", lambda doc: doc.replace(doc.length, 0, letters), texts)


def test_a_text_is_opened_once_for_many_edits(texts):
    state = Keyed()
    for letter in "abcdef":
        committed(state, adding(texts, letter))
    assert text_of(state) == "abcdef"
    assert texts.codec.opened == 1


def test_an_edit_that_runs_again_says_the_same(texts):
    state, edit = Keyed(), adding(texts, "x")
    assert rules.edit(state, ("t", edit)) == rules.edit(state, ("t", edit))
    committed(state, edit)
    assert text_of(state) == "x"


def test_an_edit_that_was_rolled_back_is_in_no_later_one(texts):
    state = Keyed()
    committed(state, adding(texts, "a"))
    rules.edit(state, ("t", adding(texts, "lost")))
    committed(state, adding(texts, "b"))
    assert text_of(state) == "ab"
    assert texts.codec.opened == 2


def test_two_copies_of_a_text_are_edited_by_two_editors(texts):
    """The same edit on both at the same place: both are kept when the copies meet."""
    one = Keyed()
    committed(one, adding(texts, "a"))
    other = Keyed(one)
    committed(one, adding(texts, "x"))
    committed(other, adding(texts, "x"))
    assert text_of(one) == text_of(other) == "ax"
    assert text_of({**one, **other}) == "axx"


def test_a_text_takes_over_what_others_wrote_and_stays_open(texts):
    state, theirs = Keyed(), OpenTexts(LoroCodec(), 4)
    for _ in range(5):
        committed(state, adding(texts, "m"))
        committed(state, adding(theirs, "t"))
    assert text_of(state) == "mt" * 5
    assert texts.codec.opened == 1


def test_updates_are_packed_and_nothing_of_the_text_is_lost(texts):
    state = Keyed()
    wrote = [committed(state, adding(texts, chr(97 + n % 26))) for n in range(2 * rules.PACK_AT)]
    assert sum(wrote) == 2 * rules.PACK_AT + 2
    contents = Contents(state, "t")
    assert len(contents.keys()) == 2
    assert contents.head.loose == 0
    assert text_of(state) == "".join(chr(97 + n % 26) for n in range(2 * rules.PACK_AT))


def test_what_two_pack_apart_is_whole_when_they_meet():
    one = Keyed()
    texts, theirs = OpenTexts(LoroCodec(), 4), OpenTexts(LoroCodec(), 4)
    committed(one, adding(texts, "a"))
    other = Keyed(one)
    for _ in range(rules.PACK_AT):
        committed(one, adding(texts, "m"))
        committed(other, adding(theirs, "t"))
    met = text_of({**one, **other})
    assert sorted(met) == sorted("a" + ("m" + "t") * rules.PACK_AT)


def test_a_version_that_nobody_understands_packs_everything(texts):
    state = Keyed()
    committed(state, adding(texts, "a"))
    state["t/h"] = [state["t/h"][0], rules.PACK_AT, b"junk"]
    assert committed(state, adding(texts, "b")) == 2
    assert text_of(state) == "ab"


def test_a_refused_edit_leaves_the_text_open_and_as_it_was(texts):
    state = Keyed()
    committed(state, adding(texts, "a"))

    def refuse(_doc):
        raise DataError("position", 9, "the text has 1 letters")

    with pytest.raises(DataError):
        committed(state, Edit("t", refuse, texts))
    committed(state, adding(texts, "b"))
    assert text_of(state) == "ab"
    assert texts.codec.opened == 1


def test_a_text_that_failed_inside_is_not_used_again(texts):
    state = Keyed()
    committed(state, adding(texts, "a"))
    with pytest.raises(CrdtError):
        committed(state, Edit("t", lambda doc: b"junk" if doc.merge(b"junk") else None, texts))
    committed(state, adding(texts, "b"))
    assert text_of(state) == "ab"
    assert texts.codec.opened == 2


def test_only_so_many_stay_open():
    texts = OpenTexts(Counting(), 2)
    states = {name: Keyed() for name in "abc"}
    for name, state in states.items():
        edit = Edit(name, lambda doc: doc.replace(0, 0, "x"), texts)
        committed(state, edit, name)
    marks = [Contents(state, name).head.mark for name, state in states.items()]
    assert [texts.find(mark) is not None for mark in marks] == [False, True, True]


def test_a_forked_process_has_editors_of_its_own(texts, monkeypatch):
    state = Keyed()
    committed(state, adding(texts, "a"))
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    committed(state, adding(texts, "b"))
    assert text_of(state) == "ab"
    assert texts.codec.opened == 2
