"""Who a space is among its replicas: the id they share, this copy's origin, and its clock.

A space has such a row only once something needs it: its first secret, or replication.
"""

import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.clock import Version, next_stamp
from ramax.core.sealed import ID_BYTES
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class Identity(NamedTuple):
    """``space_uid`` is the same on every replica, ``origin`` on none other; ``stamp`` is last."""

    space_uid: bytes
    origin: bytes
    stamp: int
    epoch: bytes | None = None
    """None until the events of the space are replicated, too."""


@Statement
def _get(t: Tables) -> sa.Select[Any]:
    r = t.replicas.c
    return sa.select(r.space_uid, r.origin, r.last_stamp, r.epoch).where(
        r.space_id == p("space_id")
    )


@Statement
def _insert(t: Tables) -> sa.Insert:
    return sa.insert(t.replicas).values(
        space_id=p("space_id"),
        space_uid=p("space_uid"),
        origin=p("origin"),
        last_stamp=0,
        created_at=p("now"),
    )


@Statement
def _move(t: Tables) -> sa.Update:
    r = t.replicas
    return sa.update(r).where(r.c.space_id == p("space")).values(last_stamp=p("stamp"))


@Statement
def _set_epoch(t: Tables) -> sa.Update:
    r = t.replicas
    return (
        sa.update(r)
        .where(r.c.space_id == p("space"))
        .values(epoch=p("new_epoch"), origin=p("new_origin"))
    )


@Statement
def _named(t: Tables) -> sa.Select[Any]:
    r, s = t.replicas.c, t.spaces.c
    query = sa.select(s.space_name).join_from(t.replicas, t.spaces, r.space_id == s.space_id)
    return query.where(r.space_uid == p("space_uid")).order_by(s.space_id)


def read_names(ex: Executor, space_uid: bytes) -> list[str]:
    """Return what the spaces of this database are called that replicas know by an id."""
    return [name for (name,) in ex.rows(_named, {"space_uid": space_uid})]


@Statement
def _replicated(t: Tables) -> sa.Select[Any]:
    """The spaces whose events are replicated: for readers of all spaces."""
    return sa.select(t.replicas.c.space_id).where(t.replicas.c.epoch.is_not(None))


def read_replicated(ex: Executor) -> frozenset[int]:
    """Read which spaces are replicated."""
    return frozenset(row[0] for row in ex.rows(_replicated, {}))


def read_identity(ex: Executor, space_id: int) -> Identity | None:
    """Return the identity of a space, or None if it never needed one."""
    rows = ex.rows(_get, {"space_id": space_id})
    return Identity(*rows[0]) if rows else None


def ensure_identity(
    ex: Executor, space_id: int, now: int, space_uid: bytes | None = None
) -> Identity:
    """Return the identity of a space, made if it has none; the caller holds the space's lock.

    Args:
        space_uid: The id that other replicas know it by; a new one if there are none yet.
    """
    found = read_identity(ex, space_id)
    if found is None:
        found = Identity(
            space_uid or secrets.token_bytes(ID_BYTES), secrets.token_bytes(ID_BYTES), 0
        )
        ex.run(
            _insert,
            {
                "space_id": space_id,
                "space_uid": found.space_uid,
                "origin": found.origin,
                "now": now,
            },
        )
    return found


def next_version(ex: Executor, space_id: int, now: int) -> Version:
    """Move the clock of a space on and return the version of what is written now.

    The caller holds the space's lock, and the space has an identity.
    """
    found = ensure_identity(ex, space_id, now)
    stamp = next_stamp(found.stamp, now)
    ex.run(_move, {"space": space_id, "stamp": stamp})
    return stamp, found.origin


def observe_stamp(ex: Executor, space_id: int, stamp: int, now: int) -> None:
    """Let no later write of this replica come before ``stamp``; under the space's lock."""
    if stamp > ensure_identity(ex, space_id, now).stamp:
        ex.run(_move, {"space": space_id, "stamp": stamp})


def set_epoch(ex: Executor, space_id: int, identity: Identity, origin: bytes) -> Identity:
    """Give a space a new epoch, and an origin; under the space's lock."""
    epoch = secrets.token_bytes(ID_BYTES)
    ex.run(_set_epoch, {"space": space_id, "new_epoch": epoch, "new_origin": origin})
    return identity._replace(epoch=epoch, origin=origin)
