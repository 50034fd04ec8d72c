"""Texts that no index has are matched as an index matches, and ranked as FTS5 ranks."""

import math
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.fulltext.query import Phrase, read_query
from ramax.core.fulltext.ranking import Ranking, times_of
from ramax.core.fulltext.tokens import tokens_of

TEXTS = {
    "fox": "the quick brown fox and the fox",
    "dog": "a quick dog",
    "bear": "a bear is brown, a bear is big",
    "none": "",
}


def keys(query, texts=TEXTS, **options):
    ranking = Ranking(read_query(query))
    for key, text in texts.items():
        ranking.add(key, tokens_of(text), eligible=key not in options.get("without", ()))
    return ranking.best(options.get("limit", 10), options.get("offset", 0))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("quick", {"fox", "dog"}),
        ("quick brown", {"fox"}),
        ('"brown fox"', {"fox"}),
        ('"fox brown"', set()),
        ("fox OR bear", {"fox", "bear"}),
        ("brown -fox", {"bear"}),
        ("do*", {"dog"}),
        ("-fox", set()),
        ("", set()),
    ],
)
def test_what_matches(query, expected):
    assert {key for key, _ in keys(query)} == expected


def test_who_is_not_eligible_is_no_match_but_counts():
    assert {key for key, _ in keys("quick", without=["fox"])} == {"dog"}
    [(_, alone)] = keys("dog", {"dog": "a dog"})
    [(_, rarer)] = keys("dog", {"dog": "a dog", **{str(n): "a cat" for n in range(9)}})
    assert rarer > alone


def test_the_same_score_is_in_the_order_of_keys_and_pages_fit():
    texts = dict.fromkeys("dbca", "same words")
    whole = [key for key, _ in keys("same", texts)]
    assert whole == ["a", "b", "c", "d"]
    pages = [keys("same", texts, limit=3, offset=at) for at in (0, 3)]
    assert [key for page in pages for key, _ in page] == whole


@pytest.mark.parametrize(
    ("phrase", "times"),
    [
        (Phrase(("a",)), 3),
        (Phrase(("a", "b")), 2),
        (Phrase(("a", "a")), 0),
        (Phrase(("b", "a", "b")), 1),
        (Phrase(("c",), prefix=True), 2),
        (Phrase(("b", "c"), prefix=True), 1),
    ],
)
def test_phrases_are_counted(phrase, times):
    assert times_of(phrase, ["a", "b", "a", "b", "cd", "a", "c"]) == times


WORDS = st.lists(st.sampled_from(["ab", "abc", "b", "c", "d"]), max_size=8).map(" ".join)
QUERIES = st.sampled_from(["a*", "b", "ab c", "ab OR d", '"ab c"', '"b a*"', "b -c", "b b"])


@given(st.lists(WORDS, min_size=1, max_size=8), QUERIES)
def test_the_scores_are_those_of_fts5(texts, query):
    asked = {
        "a*": '"a" *', "b": '"b"', "ab c": '"ab" AND "c"', "ab OR d": '"ab" OR "d"',
        '"ab c"': '"ab c"', '"b a*"': '"b a"', "b -c": '"b" NOT "c"', "b b": '"b" AND "b"',
    }[query]  # fmt: skip
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5(tokens)")
        for rowid, text in enumerate(texts, 1):
            connection.execute("INSERT INTO t(rowid, tokens) VALUES (?, ?)", (rowid, text))
        rows = connection.execute(
            "SELECT rowid, -bm25(t) FROM t WHERE t MATCH ? ORDER BY 2 DESC, 1", (asked,)
        ).fetchall()
    found = keys(query, {str(n): text for n, text in enumerate(texts, 1)})
    assert {key for key, _ in found} == {str(rowid) for rowid, _ in rows}
    scores = dict(found)
    for rowid, score in rows:
        assert math.isclose(scores[str(rowid)], score, rel_tol=1e-9)
