"""Searching the texts of one space, ranked by that space alone."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql

from ramax.core.fulltext.query import Phrase, Wanted
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import TOKENS_TABLE, Tables
from ramax.storage.text_index import own_lexeme

RANKED: Final = 10_000
"""Hits that are ranked: of more, those whose texts came last into the index."""

_DIVIDED_BY_LENGTH = 1  # of `ts_rank_cd`: by 1 + the logarithm of it


@Statement
def find_in_postgres(t: Tables) -> sa.Select[Any]:
    """The best texts of a space; the index knows its lexeme, so others' hits are not looked at.

    Which index has the newest hits soonest depends on how many there are, so the statement has to
    be planned for each word. A plan for any word would have to count to a billion, as far as the
    planner knows, so it is never the cheaper one; a plan for a word knows that it need not.
    """
    d = t.search_documents.c
    query = postgresql.TSQUERY()
    asked, mine = (sa.cast(p(name, type_=sa.Text()), query) for name in ("q", "mine"))
    for_this_word = p("for_this_word", type_=sa.Boolean())
    for_any = sa.text("(SELECT count(*) FROM generate_series(1, 1000000000)) < 0")
    newest = (
        sa.select(d.key, d.type, d.text, d.tokens)
        .where(
            d.space_id == p("space_id"),
            d.tokens.op("@@")(mine),
            d.type == sa.func.any(p("types", type_=postgresql.ARRAY(sa.Text()))),
            sa.or_(for_this_word, for_any),
        )
        .order_by(d.document_id.desc())
        .limit(sa.literal_column(str(RANKED)))
        .subquery("newest")
    )
    n = newest.c
    score = sa.func.ts_rank_cd(n.tokens, asked, sa.literal_column(str(_DIVIDED_BY_LENGTH)))
    return (
        sa.select(n.key, n.type, n.text, score.label("score"))
        .order_by(sa.desc("score"), n.key)
        .limit(p("limit", type_=sa.BigInteger()))
        .offset(p("offset", type_=sa.BigInteger()))
    )


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
    common: dict[str, Any] = {"space_id": space_id, "limit": limit, "offset": offset}
    if ex.tables.dialect == "postgresql":
        asked = _rendered(wanted, _tsquery, "&", " & !")
        mine = f"{own_lexeme(space_id)} & ({asked})"
        given = {"for_this_word": True, "q": asked, "mine": mine, "types": list(types)}
        return ex.rows(find_in_postgres, common | given)
    asked = _rendered(wanted, _fts5, "AND", " NOT ")
    listed = "[" + ",".join(f'"{each}"' for each in types) + "]"
    return ex.rows(
        find_in_sqlite(space_id),
        common | {"q": asked, "types": listed, "of_space": space_id},
    )


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
