"""What of a space has text."""

from datetime import UTC, datetime

import pytest

from ramax import DataError
from ramax.core.codec import encode
from ramax.core.datatypes import log, versioned
from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.fulltext.documents import Searched, Text, declared, searched, text_of, type_of

EVERYTHING = declared(None, {"contact:": ["name", "notes"], "contact:x": ["other"]})


def text(key, value, what=EVERYTHING):
    return text_of(what, key, encode(value, "value"))


def test_each_data_type_has_its_text():
    assert text(KV.prefix + "k", "a value") == Text("kv", "k", "k\na value")
    entry = ["chat", {"said": "hello"}, 1, b"", b""]
    assert text(LOG.prefix + log.entry_key(12), entry) == Text("log", "12", "chat\nhello")
    document = [3, {"title": "Bears", "tags": ["brown", 7]}]
    found = text(f"{JSON.prefix}{versioned.LIVE}doc", document)
    assert found == Text("json", "doc", "doc\nBears\nbrown\n7")


def test_text_numbers_and_times_are_read_and_names_of_fields_are_not():
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    value = {"field": ["a", {"b": 1.5}], "yes": True, "no": None, "raw": b"bytes", "at": when}
    found = text(KV.prefix + "k", value)
    assert found is not None
    assert found.text == f"k\na\n1.5\n{when}"


def test_of_the_applications_values_the_declared_fields_count():
    value = {"name": "Ada", "notes": ["one", "two"], "secret": "hidden"}
    assert text("contact:1", value) == Text("pstate", "contact:1", "Ada\none\ntwo")
    assert text("contact:x1", value) == Text("pstate", "contact:x1", "")
    assert text("contact:1", "no map") == Text("pstate", "contact:1", "")
    assert text("other:1", value) is None


def test_what_is_not_declared_has_none():
    assert text(KV.prefix + "k", "v", declared(["json"], None)) is None
    assert text("contact:1", {"name": "Ada"}, Searched()) is None
    for key in (LOG.prefix + log.HEAD, CELLS.prefix + "v/c", f"{JSON.prefix}indexes"):
        assert type_of(EVERYTHING, key) is None


def test_nul_is_no_text_for_postgresql():
    found = text(KV.prefix + "k", "a\x00b")
    assert found is not None
    assert "\x00" not in found.text


def test_a_declaration_comes_back_as_it_was_stored():
    assert searched(EVERYTHING.stored()) == EVERYTHING
    unfinished = Searched(("kv",), {"": ["a"]}, filling="me")
    assert searched(unfinished.stored()) == unfinished


@pytest.mark.parametrize(
    ("types", "fields"),
    [
        (["cells"], None),
        ("kv", None),
        (None, ["contact:"]),
        (None, {"contact:": "name"}),
        (None, {"contact:": []}),
        (None, {"contact:": [1]}),
        (None, {KV.prefix: ["a"]}),
        (None, {"a\x00": ["a"]}),
        (None, {"a": ["b" * 30_000]}),
    ],
)
def test_a_wrong_declaration_is_refused(types, fields):
    with pytest.raises(DataError):
        declared(types, fields)
