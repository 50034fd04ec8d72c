"""Reading the index of a space's texts for a verification: its rows, and what words are found by.

On SQLite a text is found by the table of tokens of its space, which keeps no text itself: what it
holds can only be asked for, a run of words of one row at a time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql

from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import TOKENS_TABLE, Tables

_RUN: Final = 64
"""Words that are asked for at once."""


@Statement
def _documents(t: Tables) -> sa.Select[Any]:
    d = t.search_documents.c
    return (
        sa.select(d.key, d.type, d.text)
        .where(d.space_id == p("space_id"), d.key > p("after"), d.key <= p("upto"))
        .order_by(d.key)
    )


@Statement
def _other_tokens(t: Tables) -> sa.Select[Any]:
    """Keys whose tokens are not those that are given (PostgreSQL)."""
    w = unnest("w", key=sa.Text(), tokens=sa.Text())
    d = t.search_documents.c
    given = sa.cast(w.c.tokens, postgresql.TSVECTOR())
    return (
        sa.select(d.key)
        .select_from(w.join(t.search_documents, d.key == w.c.key))
        .where(d.space_id == p("space_id"), d.tokens != given)
    )


@Statement
def _tokens(t: Tables) -> sa.Select[Any]:
    """Keys and their tokens (SQLite)."""
    d = t.search_documents.c
    return sa.select(d.key, d.tokens).where(
        d.space_id == p("space_id"), d.key > p("after"), d.key <= p("upto")
    )


@Statement
def _table(_: Tables) -> sa.TextClause:
    return sa.text("SELECT name FROM sqlite_master WHERE type = 'table' AND name = :name")


class _Found(NamedTuple):
    """The statements that ask the table of one space's tokens (SQLite)."""

    sizes: Statement
    run: Statement
    foreign: Statement


@lru_cache(maxsize=1024)
def _found_in(space_id: int) -> _Found:
    name = f"{TOKENS_TABLE}{space_id}"
    mine = "d.space_id = :space_id"
    return _Found(
        _text(
            f"SELECT d.key, d.document_id, n.sz FROM search_documents d "  # noqa: S608 - a number
            f"LEFT JOIN {name}_docsize n ON n.id = d.document_id "
            f"WHERE {mine} AND d.key > :after AND d.key <= :upto"
        ),
        _text(
            f"SELECT d.key FROM {name} JOIN search_documents d "  # noqa: S608
            f"ON d.document_id = {name}.rowid "
            f"WHERE {name} MATCH :run AND {name}.rowid = :document AND {mine}"
        ),
        _text(
            f"SELECT n.id FROM {name}_docsize n WHERE NOT EXISTS ("  # noqa: S608
            f"SELECT 1 FROM search_documents d WHERE d.document_id = n.id AND {mine}"
            ") ORDER BY n.id LIMIT :limit"
        ),
    )


def _text(text: str) -> Statement:
    return Statement(lambda _: sa.text(text))


def read_documents(ex: Executor, space_id: int, after: str, upto: str) -> Sequence[Row]:
    """Read (key, type, text) of the keys above ``after`` up to ``upto``, in order."""
    return ex.rows(_documents, {"space_id": space_id, "after": after, "upto": upto})


def has_words(ex: Executor, space_id: int) -> bool:
    """Whether there is something to find words in: always so on PostgreSQL."""
    if ex.tables.dialect == "postgresql":
        return True
    return bool(ex.rows(_table, {"name": f"{TOKENS_TABLE}{space_id}"}))


def not_found_by_words(
    ex: Executor, space_id: int, after: str, upto: str, wanted: Mapping[str, str]
) -> set[str]:
    """Return the keys above ``after`` up to ``upto`` that their words, and only they, do not find.

    Args:
        wanted: The tokens of each key, as they should be stored; other keys are not looked at.
    """
    if ex.tables.dialect == "postgresql":
        given = {"w_key": list(wanted), "w_tokens": list(wanted.values())}
        return {key for (key,) in ex.rows(_other_tokens, {"space_id": space_id, **given})}
    bounds = {"space_id": space_id, "after": after, "upto": upto}
    stored = {key: tokens for key, tokens in ex.rows(_tokens, bounds)}  # noqa: C416 - of rows
    missed = {key for key, tokens in wanted.items() if stored.get(key) != tokens}
    for key, document, size in ex.rows(_found_in(space_id).sizes, bounds):
        if key not in wanted or key in missed:
            continue
        words = wanted[key].split()
        as_many = size is not None and _number(size) == len(words)
        if not as_many or not _all_found(ex, space_id, document, words):
            missed.add(key)
    return missed


def _all_found(ex: Executor, space_id: int, document: int, words: Sequence[str]) -> bool:
    statement = _found_in(space_id).run
    return all(
        ex.rows(statement, {"run": run, "document": document, "space_id": space_id})
        for run in _runs(words)
    )


def _runs(words: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(words), _RUN):
        yield '"' + " ".join(words[start : start + _RUN]) + '"'


def words_of_nobody(ex: Executor, space_id: int, limit: int) -> Iterable[int]:
    """Return rows of words that belong to no text of the space; none on PostgreSQL."""
    if ex.tables.dialect == "postgresql":
        return ()
    rows = ex.rows(_found_in(space_id).foreign, {"space_id": space_id, "limit": limit})
    return [row[0] for row in rows]


def _number(packed: bytes) -> int:
    """Read how many tokens a row has: seven bits of each byte, the high ones first."""
    number = 0
    for byte in packed:
        number = number << 7 | byte & 0x7F
    return number
