"""Idempotency keys: which answer a key got first, so that a repeat gets it again."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.codec import decode, encode
from ramax.core.event_row import EventRow
from ramax.errors import IdempotencyConflictError
from ramax.storage.events import read_page, stored_events
from ramax.storage.executors import Executor
from ramax.storage.lineage import AT_ONCE, lineage_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import Commit


class Found(NamedTuple):
    """A stored key: what it stood for, and the sequences of its first answer."""

    fingerprint: bytes
    first_sequence: int
    events: int


@Statement
def _get(t: Tables) -> sa.Select[Any]:
    k = t.idempotency_keys.c
    return sa.select(k.fingerprint, k.first_sequence, k.count).where(
        k.space_id == p("space_id"), k.key == p("key")
    )


@lru_cache(maxsize=64)
def _get_any(spaces: int) -> Statement:
    """As `_get`, of several spaces at once, each row with whose it is."""

    def build(t: Tables) -> sa.CompoundSelect[Any]:
        k = t.idempotency_keys.c
        columns = (k.space_id, k.fingerprint, k.first_sequence, k.count)
        return sa.union_all(
            *(
                sa.select(*columns).where(k.space_id == p(f"space_id{n}"), k.key == p("key"))
                for n in range(spaces)
            )
        )

    return Statement(build)


@Statement
def insert(t: Tables) -> sa.Insert:
    """Record a key together with the events of its command."""
    return sa.insert(t.idempotency_keys).values(
        space_id=p("space_id"),
        key=p("key"),
        fingerprint=p("fingerprint"),
        first_sequence=p("first_sequence"),
        count=p("count"),
        created_at=p("now"),
    )


def fingerprint(name: str, params: Any) -> bytes:
    """Condense what a command is asked to do: its name and its parameters.

    Raises:
        CodecError: The parameters cannot be encoded, so a repeat could not be recognised.
    """
    content = _in_order(decode(encode([name, params], "idempotent command")))
    packed = encode(content, "idempotent command")
    return hashlib.blake2b(packed, digest_size=16).digest()


def _in_order(value: Any) -> Any:
    """Put the keys of maps in one order: a repeat may come through JSON, which keeps none."""
    if type(value) is dict:
        pairs = [(encode(key, "key"), _in_order(item)) for key, item in value.items()]
        return ("map", sorted(pairs, key=lambda pair: pair[0]))
    if type(value) in {list, tuple}:
        return type(value)(map(_in_order, value))
    return value


def find(ex: Executor, space_id: int, key: str) -> Found | None:
    """Return what is stored for a key, or None.

    What was answered before a fork is answered so in the fork, too: its log has those events.
    """
    lineage = lineage_of(ex, space_id)
    if not lineage:
        rows = ex.rows(_get, {"space_id": space_id, "key": key})
        return Found(*rows[0]) if rows else None
    for first in range(0, len(lineage), AT_ONCE):
        some = lineage[::-1][first : first + AT_ONCE]  # nearest first
        asked = {f"space_id{n}": part.space_id for n, part in enumerate(some)}
        rows = ex.rows(_get_any(len(some)), {**asked, "key": key})
        stored = {row[0]: Found(*row[1:]) for row in rows}
        for owner, _, upto in some:
            found = stored.get(owner)
            if found is not None and found.first_sequence + found.events - 1 <= upto:
                return found
    return None


def check(space_name: str, key: str, first: bytes, repeat: bytes) -> None:
    """Compare a repeat with the first use of its key.

    Raises:
        IdempotencyConflictError: The content is another.
    """
    if first[:16] != repeat[:16]:
        raise IdempotencyConflictError(space_name, key)


def row(  # noqa: PLR0917 - the columns of the row
    space_id: int,
    key: str,
    fingerprint_: bytes,
    groups: Sequence[Sequence[EventRow]],
    head: int,
    now: int,
) -> dict[str, Any]:
    """Make the row of a key; the sizes of the groups go with the fingerprint."""
    rows = [row for group in groups for row in group]
    sizes = encode([len(group) for group in groups], "group sizes")
    return {
        "space_id": space_id,
        "key": key,
        "fingerprint": fingerprint_ + sizes,
        "first_sequence": rows[0].sequence if rows else head + 1,
        "count": len(rows),
        "now": now,
    }


def replay(ex: Executor, space_id: int, found: Found) -> list[Commit]:
    """Build the first answer again from the log."""
    after = found.first_sequence - 1
    upto, limit = after + found.events, max(found.events, 1)
    rows = read_page(ex, space_id, after=after, upto=upto, limit=limit)
    events = list(stored_events(rows))
    commits, at = [], 0
    for size in decode(found.fingerprint[16:]):
        part = tuple(events[at : at + size])
        at += size
        commits.append(Commit(part, after + at, replayed=True))
    return commits
