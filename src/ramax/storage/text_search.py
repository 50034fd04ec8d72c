"""Searching the texts of one space, ranked by that space alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql

from ramax.core.fulltext.query import Phrase, Wanted
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement, beside
from ramax.storage.tables import TOKENS_TABLE, Tables
from ramax.storage.text_index import own_lexeme

RANKED: Final = 10_000
"""Hits that are ranked: of more, those whose texts came last into the index."""

_LOOKED_AT: Final = 4 * RANKED
"""Of the newest texts, where so many hits are expected that a quarter of all has them."""

_DIVIDED_BY_LENGTH = 1  # of `ts_rank_cd`: by 1 + the logarithm of it


def _matching(t: Tables) -> sa.Select[Any]:
    """Texts of a space: the index knows its lexeme, so no other space's hit is looked at."""
    d = t.search_documents.c
    return sa.select(d.key, d.tokens).where(d.space_id == p("space_id"), _has("mine", d), _any(d))


def _has(name: str, texts: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = texts.tokens.op("@@")(_query(name))
    return found


def _query(name: str) -> sa.ColumnElement[Any]:
    return sa.cast(p(name, type_=sa.Text()), postgresql.TSQUERY())


def _any(texts: Any) -> sa.ColumnElement[bool]:
    types = sa.func.any(p("types", type_=postgresql.ARRAY(sa.Text())))
    found: sa.ColumnElement[bool] = texts.type == types
    return found


def _best(t: Tables, candidates: sa.Select[Any]) -> sa.Select[Any]:
    """Rank these, which have key and tokens; each of the best says how many there were."""
    c, d = candidates.subquery("candidates").c, t.search_documents.c
    score = sa.func.ts_rank_cd(c.tokens, _query("q"), sa.literal_column(str(_DIVIDED_BY_LENGTH)))
    ranked = sa.select(c.key, score.label("score")).subquery("ranked")
    hits = sa.func.count().over().label("hits")
    best = (
        sa.select(ranked.c.key, ranked.c.score, hits)
        .order_by(ranked.c.score.desc(), ranked.c.key)
        .limit(p("limit", type_=sa.BigInteger()))
        .offset(p("offset", type_=sa.BigInteger()))
        .subquery("best")
    )
    same = (d.space_id == p("of_space")) & (d.key == best.c.key)
    source, text = beside(t, best, t.search_documents, same)
    return (
        sa.select(text.c.key, text.c.type, text.c.text, best.c.score, best.c.hits)
        .select_from(source)
        .order_by(best.c.score.desc(), text.c.key)
    )


def _limit(number: int) -> sa.ColumnElement[Any]:
    return sa.literal_column(str(number))


@Statement
def find_few(t: Tables) -> sa.Select[Any]:
    """The best texts of all, where they are no more than can be ranked (PostgreSQL)."""
    return _best(t, _matching(t).limit(_limit(RANKED + 1)))


@Statement
def find_in_newest(t: Tables) -> sa.Select[Any]:
    """The best of the newest hits, among the newest texts of the space (PostgreSQL)."""
    d = t.search_documents.c
    newest = (
        sa.select(d.document_id, d.key, d.type, d.tokens)
        .where(d.space_id == p("space_id"))
        .order_by(d.document_id.desc())
        .limit(_limit(_LOOKED_AT))
        .subquery("newest")
    )
    n = newest.c
    found = sa.select(n.key, n.tokens).where(_has("q", n), _any(n))
    return _best(t, found.order_by(n.document_id.desc()).limit(_limit(RANKED)))


@Statement
def find_newest(t: Tables) -> sa.Select[Any]:
    """The best of the newest hits, wherever they are (PostgreSQL)."""
    newest = t.search_documents.c.document_id.desc()
    return _best(t, _matching(t).order_by(newest).limit(_limit(RANKED)))


@lru_cache(maxsize=1024)
def find_in_sqlite(space_id: int) -> Statement:
    """The best texts of a space, in its own table of tokens, which has the newest at its end."""
    name = f"{TOKENS_TABLE}{space_id}"
    text = (
        f"SELECT d.key, d.type, d.text, best.score FROM ("  # noqa: S608 - a number
        "SELECT document_id, key, score FROM ("
        f"SELECT document_id, key, -bm25({name}) AS score FROM {name} "
        f"JOIN search_documents ON document_id = {name}.rowid "
        f"WHERE {name} MATCH :q AND space_id = :space_id "
        "AND type IN (SELECT value FROM json_each(:types)) "
        f"ORDER BY {name}.rowid DESC LIMIT {RANKED}"
        ") ORDER BY score DESC, key LIMIT :limit OFFSET :offset"
        ") AS best JOIN search_documents AS d ON d.document_id = best.document_id "
        "WHERE d.space_id = :of_space ORDER BY best.score DESC, d.key"
    )
    return Statement(lambda _: sa.text(text))


def find_texts(
    ex: Executor, space_id: int, wanted: Wanted, types: Sequence[str], *, limit: int, offset: int
) -> Sequence[Row]:
    """Return rows of key, type, text and score, the best first; of the same score by key."""
    if not wanted.groups:
        return ()
    common = {"space_id": space_id, "of_space": space_id, "limit": limit, "offset": offset}
    if ex.tables.dialect == "postgresql":
        asked = _rendered(wanted, _tsquery, "&", " & !")
        mine = f"{own_lexeme(space_id)} & ({asked})"
        return _found_in_postgres(ex, common | {"q": asked, "mine": mine, "types": list(types)})
    asked = _rendered(wanted, _fts5, "AND", " NOT ")
    listed = "[" + ",".join(f'"{each}"' for each in types) + "]"
    return ex.rows(find_in_sqlite(space_id), common | {"q": asked, "types": listed})


def _found_in_postgres(ex: Executor, given: Mapping[str, Any]) -> Sequence[Row]:
    """Choose the statement by how many hits there are: a plan is made for any word."""
    rows = ex.rows(find_few, given)
    if rows and rows[0][4] > RANKED:
        rows = ex.rows(find_in_newest, given)
        if not rows or rows[0][4] < RANKED:
            rows = ex.rows(find_newest, given)
    return [row[:4] for row in rows]


def _rendered(wanted: Wanted, render: Callable[[Phrase], str], both: str, but: str) -> str:
    """Write what is wanted as the database reads it: of tokens, which have no syntax."""
    either = "|" if both == "&" else "OR"

    def any_of(phrases: Iterable[Phrase]) -> str:
        return "(" + f" {either} ".join(map(render, phrases)) + ")"

    text = f" {both} ".join(map(any_of, wanted.groups))
    return f"({text}){but}{any_of(wanted.without)}" if wanted.without else text


def _fts5(phrase: Phrase) -> str:
    return f'"{" ".join(phrase.tokens)}"{" *" if phrase.prefix else ""}'


def _tsquery(phrase: Phrase) -> str:
    *whole, last = (f"'{token}'" for token in phrase.tokens)
    return "(" + " <-> ".join([*whole, f"{last}:*" if phrase.prefix else last]) + ")"
