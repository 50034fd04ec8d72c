"""What a text is split into, for both databases."""

import pytest

from ramax.core.fulltext.tokens import LONGEST, LONGEST_TOKEN, placed_tokens, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The quick, brown-fox!", ["the", "quick", "brown", "fox"]),
        ("Café naïve ÅNGSTRÖM", ["cafe", "naive", "angstrom"]),
        ("Cafe\u0301", ["cafe"]),
        ("straße STRASSE", ["strasse", "strasse"]),
        ("ﬁne ½", ["fine", "1", "2"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("ＴＯＫＹＯ東京2020", ["tokyo", "東", "京", "2020"]),
        ("한국어", ["한", "국", "어"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Ёлка ёлка", ["елка", "елка"]),
        ("a_b user:42", ["a", "b", "user", "42"]),
        ("", []),
        (" \n\t--'\"", []),
    ],
)
def test_words_are_folded_and_text_without_spaces_is_split_by_character(text, tokens):
    assert tokens_of(text) == tokens
    assert [token.text for token in placed_tokens(text)] == tokens


def test_a_token_knows_where_it_stands():
    text = "x Café 東"
    assert [text[t.start : t.end] for t in placed_tokens(text)] == ["x", "Café", "東"]


def test_what_is_too_long_is_cut():
    assert tokens_of("a" * 500) == ["a" * LONGEST_TOKEN]
    assert len(tokens_of("b " * LONGEST)) == LONGEST // 2
