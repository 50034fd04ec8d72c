"""The rows that make a space searchable: its texts, and on SQLite a table of its own for tokens.

FTS5 cannot lead with a space, and its ranking counts what is in the whole table: so each space that
is searched has one (ADR-0064). PostgreSQL has one index; a space's own lexeme keeps it apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.fulltext.documents import Searched, searched, text_of, type_of
from ramax.core.fulltext.tokens import tokens_of
from ramax.core.space_write import SpaceWrite
from ramax.core.state import Packed
from ramax.storage.deletion import drop_tokens
from ramax.storage.executors import Executor
from ramax.storage.plan import Extra
from ramax.storage.spaces import as_space, space_columns
from ramax.storage.sql import Statement
from ramax.storage.tables import TOKENS_TABLE, DialectName, Tables
from ramax.values import Space

_SPLITTING: Final = "unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
"""At spaces, and at nothing else that our tokens have."""


@Statement
def _put(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    tokens: sa.ColumnElement[Any] = p("tokens", type_=sa.Text())
    if t.dialect == "postgresql":
        tokens = sa.cast(tokens, postgresql.TSVECTOR())
    new = insert(t.search_documents).values(
        space_id=p("space_id"), key=p("key"), type=p("type"), text=p("text"), tokens=tokens
    )
    return new.on_conflict_do_update(
        index_elements=["space_id", "key"],
        set_={name: new.excluded[name] for name in ("type", "text", "tokens")},
    )


@Statement
def _delete(t: Tables) -> sa.Delete:
    d = t.search_documents
    return sa.delete(d).where(d.c.space_id == p("space_id"), d.c.key == p("key"))


@Statement
def _clear(t: Tables) -> sa.Delete:
    d = t.search_documents
    return sa.delete(d).where(d.c.space_id == p("space_id"))


@Statement
def _note(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    new = insert(t.search_waiting).values(space_id=p("space_id"), key=p("key"))
    return new.on_conflict_do_nothing()


@Statement
def _clear_waiting(t: Tables) -> sa.Delete:
    w = t.search_waiting
    return sa.delete(w).where(w.c.space_id == p("space_id"))


@Statement
def _set_searched(t: Tables) -> sa.Update:
    s = t.spaces
    return sa.update(s).where(s.c.space_id == p("space_id")).values(searched=p("searched"))


@Statement
def _all_searched(t: Tables) -> sa.Select[Any]:
    c = t.spaces.c
    columns = [*space_columns(t), c.searched]
    mine = (c.branch_id == p("branch_id")) & c.searched.is_not(None)
    return sa.select(*columns).where(mine).order_by(c.space_id)


class _Tokens(NamedTuple):
    """The statements on the table of one space's tokens (SQLite)."""

    create: Statement
    forget: Statement
    add: Statement


@lru_cache(maxsize=1024)
def _tokens_of_space(space_id: int) -> _Tokens:
    name = f"{TOKENS_TABLE}{space_id}"
    columns = f"tokens, content='', tokenize=\"{_SPLITTING}\""
    of_key = "FROM search_documents WHERE space_id = :space_id AND key = :key"
    return _Tokens(
        _text(f"CREATE VIRTUAL TABLE {name} USING fts5({columns})"),
        _text(
            f"INSERT INTO {name}({name}, rowid, tokens) "
            f"SELECT 'delete', document_id, tokens {of_key}"
        ),
        _text(f"INSERT INTO {name}(rowid, tokens) SELECT document_id, tokens {of_key}"),
    )


def _text(text: str) -> Statement:
    return Statement(lambda _: sa.text(text))


def search_rows(dialect: DialectName, writes: Iterable[SpaceWrite]) -> list[Extra]:
    """Make the rows that keep what is searched true beside these writes."""
    extras: list[Extra] = []
    for write in writes:
        what = write.guard.searched
        if what is not None and (write.puts or write.deletes):
            extras += _changes(dialect, write.space_id, what, write.puts, write.deletes)
    return extras


def keep_text(
    ex: Executor,
    space_id: int,
    what: Searched | None,
    puts: Mapping[str, Packed],
    deletes: Iterable[str] = (),
) -> None:
    """As `search_rows`, at once; the caller holds the space's lock. None: it is not searched."""
    if what is not None:
        for extra in _changes(ex.tables.dialect, space_id, what, puts, deletes):
            ex.run_many(extra.statement, extra.rows)


def index_now(
    ex: Executor,
    space_id: int,
    what: Searched,
    puts: Mapping[str, Packed],
    deletes: Iterable[str] = (),
) -> None:
    """As `keep_text`, whenever the texts of the space are indexed otherwise."""
    for extra in _indexed(ex.tables.dialect, space_id, what, puts, deletes):
        ex.run_many(extra.statement, extra.rows)


def _changes(
    dialect: DialectName,
    space_id: int,
    what: Searched,
    puts: Mapping[str, Packed],
    deletes: Iterable[str],
) -> list[Extra]:
    if not what.later:
        return _indexed(dialect, space_id, what, puts, deletes)
    changed = sorted({*puts, *deletes})
    waiting = [_at(space_id, key) for key in changed if type_of(what, key) is not None]
    return [Extra(_note, waiting)] if waiting else []


def _indexed(
    dialect: DialectName,
    space_id: int,
    what: Searched,
    puts: Mapping[str, Packed],
    deletes: Iterable[str],
) -> list[Extra]:
    gone = [_at(space_id, key) for key in deletes if type_of(what, key) is not None]
    new: list[dict[str, Any]] = []
    for key, packed in sorted(puts.items()):
        found = text_of(what, key, packed)
        if found is not None:
            tokens = as_stored(dialect, space_id, tokens_of(found.text))
            new.append(
                {**_at(space_id, key), "type": found.type, "text": found.text, "tokens": tokens}
            )
    extras = [Extra(_delete, gone), Extra(_put, new)]
    if dialect == "sqlite":
        own = _tokens_of_space(space_id)
        extras = [Extra(own.forget, [*gone, *new]), *extras, Extra(own.add, new)]
    return [extra for extra in extras if extra.rows]


def _at(space_id: int, key: str) -> dict[str, Any]:
    return {"space_id": space_id, "key": key}


def own_lexeme(space_id: int) -> str:
    """Return the lexeme that every text of a space has; no word has a colon (PostgreSQL)."""
    return f"':{space_id}'"


def as_stored(dialect: DialectName, space_id: int, tokens: Sequence[str]) -> str:
    """Write the tokens of a text as the database keeps them."""
    if dialect == "sqlite":
        return " ".join(tokens)
    placed = sorted((token, place) for place, token in enumerate(tokens, 1))
    lexemes = [
        f"'{token}':" + ",".join(str(place) for _, place in places)
        for token, places in groupby(placed, key=lambda each: each[0])
    ]
    return " ".join([own_lexeme(space_id), *lexemes])


def begin(ex: Executor, space_id: int) -> None:
    """Make the index of a space anew, empty; the caller holds the space's lock."""
    end(ex, space_id)
    if ex.tables.dialect == "sqlite":
        ex.run(_tokens_of_space(space_id).create, {})


def end(ex: Executor, space_id: int) -> None:
    """Drop the index of a space; the caller holds the space's lock."""
    ex.run(_clear, {"space_id": space_id})
    ex.run(_clear_waiting, {"space_id": space_id})
    if ex.tables.dialect == "sqlite":
        ex.run(drop_tokens(space_id), {})


def read_searched(ex: Executor, branch_id: int) -> list[Space]:
    """Return the spaces of a branch that can be searched, by id."""
    rows = ex.rows(_all_searched, {"branch_id": branch_id})
    return [as_space(row[:-1]) for row in rows if searched(row[-1]).filling is None]


def set_searched(ex: Executor, space_id: int, what: Searched | None) -> None:
    """Record what of a space is searched; the caller holds the space's lock."""
    stored = None if what is None else what.stored()
    ex.run(_set_searched, {"space_id": space_id, "searched": stored})
