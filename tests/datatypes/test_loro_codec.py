"""Texts by loro: code points, repeated and hostile updates, errors that can be caught."""

import asyncio
import random
import sys

import loro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.datatypes import loro_codec
from ramax.datatypes.loro_codec import LoroCodec
from ramax.errors import CrdtError, MisuseError

CODEC = LoroCodec()


def edited(*texts: str) -> tuple[str, list[bytes]]:
    document = CODEC.open(())
    updates = [document.replace(document.length, 0, text) for text in texts]
    return document.text(), updates


def test_positions_are_code_points():
    document = CODEC.open(())
    document.replace(0, 0, "日本😀e\u0301!")
    assert document.length == 6
    document.replace(3, 2, "é")
    assert document.text() == "日本😀é!"


def test_repeated_and_mixed_up_updates_change_nothing():
    text, updates = edited(*"abcdef")
    mixed = [*updates, *updates]
    random.Random(1).shuffle(mixed)
    opened = CODEC.open(mixed)
    assert (opened.text(), opened.unreadable) == (text, 0)


def test_every_opened_text_is_an_editor_of_its_own():
    _, updates = edited("a")
    one, other = CODEC.open(updates), CODEC.open(updates)
    assert one.merge(other.replace(1, 0, "x"))
    assert other.merge(one.replace(1, 0, "y")) is not None
    both = CODEC.open([*updates, one.since(b""), other.since(b"")])
    assert sorted(both.text()) == ["a", "x", "y"]


def test_what_is_known_is_not_merged_again():
    _, updates = edited("a", "b")
    document = CODEC.open(())
    assert document.merge(updates[0]) is True
    assert document.merge(updates[0]) is False


def test_versions_say_what_is_missing():
    _, updates = edited("a", "b")
    first = CODEC.open(updates[:1])
    rest = CODEC.open(updates).since(first.version())
    assert first.merge(rest)
    assert first.text() == "ab"
    assert CODEC.open(updates).version() == CODEC.open(updates[::-1]).version()


def test_a_rewritten_text_keeps_what_others_write_meanwhile():
    _, updates = edited("one two three")
    mine, theirs = CODEC.open(updates), CODEC.open(updates)
    mine.merge(theirs.replace(13, 0, " four"))
    other = CODEC.open(updates)
    mine.merge(other.rewrite("one 2 three"))
    assert mine.text() == "one 2 three four"


def test_a_long_text_is_rewritten_by_line():
    document = CODEC.open(())
    lines = [f"line {n}" for n in range(3000)]
    document.replace(0, 0, "\n".join(lines))
    lines[1500] = "changed"
    assert len(document.rewrite("\n".join(lines))) < 1000
    assert document.text() == "\n".join(lines)


def test_an_update_whose_base_is_missing_is_refused():
    _, updates = edited("a", "b")
    with pytest.raises(CrdtError, match="builds on edits that are not here"):
        CODEC.open(()).merge(updates[1])


def test_a_document_without_its_beginning_is_refused():
    document = loro.LoroDoc()
    document.get_text("text").insert(0, "abc")
    document.commit()
    document.get_text("text").insert(0, "abc")
    document.commit()
    shallow = document.export(loro.ExportMode.ShallowSnapshot(document.oplog_frontiers))
    with pytest.raises(CrdtError, match="lacks the beginning"):
        CODEC.open(()).merge(shallow)


def test_what_another_editor_exports_is_merged():
    document = loro.LoroDoc()
    document.get_text(loro_codec.CONTAINER).insert(0, "from elsewhere")
    document.commit()
    opened = CODEC.open(())
    assert opened.merge(document.export(loro.ExportMode.Snapshot()))
    assert opened.text() == "from elsewhere"


@given(st.data())
def test_damaged_updates_are_refused_or_change_nothing(data):
    _, updates = edited("hello", "日本")
    damaged = bytearray(updates[0])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        CODEC.open(()).merge(bytes(damaged))
    except CrdtError as error:
        assert error.what == "update"


@given(st.binary(max_size=200))
def test_any_bytes_are_an_error_that_can_be_caught(junk):
    for refused in (CODEC.open(()).merge, CODEC.open(()).since):
        try:
            refused(junk)
        except CrdtError as error:
            assert error.__cause__ is not None


def test_unreadable_updates_are_left_out_and_counted():
    text, updates = edited("a", "b", "c")
    opened = CODEC.open([b"junk", updates[0], updates[1], b"", updates[2]])
    assert (opened.text(), opened.unreadable) == (text, 2)


def test_many_unreadable_updates_do_not_have_the_text_opened_again_for_each(monkeypatch):
    text, updates = edited("a", "b", "c")
    opened = []

    class Counted(loro_codec._LoroText):
        def __init__(self):
            super().__init__()
            opened.append(self)

    monkeypatch.setattr(loro_codec, "_LoroText", Counted)
    document = CODEC.open([*updates, *(bytes([n]) * 40 for n in range(50))])
    assert (document.text(), document.unreadable) == (text, 50)
    assert len(opened) == 2


def test_what_stops_a_program_is_not_made_an_error(monkeypatch):
    document = CODEC.open(())
    for stop in (KeyboardInterrupt, SystemExit, asyncio.CancelledError):

        def raise_(stop=stop):
            raise stop

        with pytest.raises(stop), loro_codec._guarded("text", None):
            raise_()
    assert document.text() == ""


def test_without_the_library_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "loro", None)
    with pytest.raises(MisuseError, match=r"pip install 'ramax\[loro\]'"):
        CODEC.open(())
