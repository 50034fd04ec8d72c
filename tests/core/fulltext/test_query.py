"""What is typed, as what is wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.fulltext.query import Phrase, Wanted, read_query
from ramax.errors import DataError


def phrase(*tokens: str, prefix: bool = False) -> Phrase:
    return Phrase(tokens, prefix)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("red wine", Wanted(((phrase("red"),), (phrase("wine"),)))),
        ('"red wine" old', Wanted(((phrase("red", "wine"),), (phrase("old"),)))),
        ('"never closed', Wanted(((phrase("never", "closed"),),))),
        ("red OR white wine", Wanted(((phrase("red"), phrase("white")), (phrase("wine"),)))),
        ("OR red OR", Wanted(((phrase("red"),),))),
        ("red -white", Wanted(((phrase("red"),),), (phrase("white"),))),
        ('red -"dry white"', Wanted(((phrase("red"),),), (phrase("dry", "white"),))),
        ("win*", Wanted(((phrase("win", prefix=True),),))),
        ("東京", Wanted(((phrase("東", "京"),),))),
        ("user:42", Wanted(((phrase("user", "42"),),))),
        ("or NOT and", Wanted(((phrase("or"),), (phrase("not"),), (phrase("and"),)))),
        ("-only", Wanted((), (phrase("only"),))),
        ("", Wanted(())),
        ("*:'^()\\", Wanted(())),
    ],
)
def test_words_phrases_and_the_few_signs(text, wanted):
    assert read_query(text) == wanted


@given(st.text(max_size=200))
def test_whatever_is_typed_leaves_only_tokens(text):
    wanted = read_query(text)
    for each in (*wanted.phrases, *wanted.without):
        assert each.tokens
        assert not set("".join(each.tokens)) & set(" '\"\\:*&|!<>()^{}+-")


@pytest.mark.parametrize("text", [None, 7, b"x", "x" * 2001])
def test_what_is_no_query_is_refused(text):
    with pytest.raises(DataError, match="search text"):
        read_query(text)
