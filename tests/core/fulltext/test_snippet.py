"""The piece of a text that a hit shows."""

from ramax.core.fulltext.query import read_query
from ramax.core.fulltext.snippet import snippet


def cut(text: str, query: str) -> str:
    return snippet(text, read_query(query).phrases)


def test_a_short_text_is_shown_whole_on_one_line():
    assert cut("key\nthe quick  fox", "fox") == "key the quick fox"


def test_a_long_text_is_cut_around_what_was_found():
    found = cut("start " + "x " * 300 + "the Café here " + "y " * 300, "cafe")
    assert "the Café here" in found
    assert found.startswith("…")
    assert found.endswith("…")
    assert len(found) < 210


def test_phrases_prefixes_and_characters_are_found_where_they_stand():
    filler = "z " * 200
    assert "red wine" in cut(f"red {filler} red wine {filler}", '"red wine"')
    assert "winery" in cut(f"{filler} winery {filler}", "wine*")
    assert "東京" in cut(f"{filler} 東京タワー {filler}", "東京")


def test_without_a_phrase_the_beginning_is_shown():
    assert cut("the beginning " + "x " * 300, "absent").startswith("the beginning")
