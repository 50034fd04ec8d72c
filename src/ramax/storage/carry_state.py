"""Carry pstate, checkpoints and counters into the tables of ramax_0002 (frozen: it is history)."""

from collections.abc import Mapping

import sqlalchemy as sa

from ramax.storage.forms import dialect_of
from ramax.storage.old_tables import ASIDE, format_of, rows_of, space_of

KEPT_CHECKPOINT = "legacy"
"""The name of a checkpoint that Elixir kept: its library never moved it with the pstate."""

_PSTATE = "pstate"


def carry_pstate(connection: sa.Connection, form: str, home: int) -> None:
    """Copy all values, bytes as they are; rows of deleted spaces too, which no space shows."""
    old = rows_of("pstate_entities", aside=True)
    value = sa.cast(old.c.value, sa.LargeBinary)
    source = {
        "space_id": space_of(old, form, home),
        "key": old.c.key,
        "value": value,
        "format": format_of(value, dialect_of(connection)),
        "updated_at": old.c.updated_at * 1_000_000,
        "direct": sa.literal_column("0"),
    }
    query = sa.select(*source.values()).select_from(old)
    connection.execute(sa.insert(rows_of("pstate_entities")).from_select(list(source), query))


def carry_checkpoints(
    connection: sa.Connection, forms: Mapping[str, str], broken: list[int]
) -> None:
    """Say how far each pstate is, and keep the checkpoints that Elixir kept.

    Elixir applies events to pstate as it appends them, so pstate is at the last event, with two
    exceptions. A space without any pstate is at 0: its events are still to be folded (perhaps its
    pstate was in another file). And after the guide's ALTER statements every write of pstate has
    failed: what was appended since is still to be folded.
    """
    guards, pstate = rows_of("space_sequences"), rows_of("pstate_entities")
    own = sa.exists().where(pstate.c.space_id == guards.c.space_id)
    reached: sa.ColumnElement[int] = sa.case((own, guards.c.last_sequence), else_=0)
    if forms["pstate_entities"] == "altered" and broken:
        later = _appended_after_alter()
        reached = sa.case((own, guards.c.last_sequence - later), else_=0)
    _insert_checkpoints(connection, _PSTATE, guards.c.last_timestamp, guards, reached)
    if "projection_checkpoints" not in forms:
        return
    old, events = rows_of("projection_checkpoints", aside=True), rows_of("events")
    kept = _between(old.c.last_space_sequence, guards.c.last_sequence)
    if broken:
        before = sa.and_(
            events.c.space_id == guards.c.space_id, events.c.event_id <= old.c.last_event_id
        )
        count = sa.select(sa.func.count()).select_from(events).where(before).scalar_subquery()
        kept = sa.case((guards.c.space_id.in_(broken), count), else_=kept)
    source = guards.join(old, old.c.space_id == guards.c.space_id)
    updated_at = sa.func.coalesce(old.c.updated_at * 1_000_000, guards.c.last_timestamp)
    _insert_checkpoints(connection, KEPT_CHECKPOINT, updated_at, source, kept)


def _between(sequence: sa.ColumnElement[int], last: sa.ColumnElement[int]) -> sa.Case[int]:
    zero = sa.literal_column("0", sa.Integer)
    return sa.case((sequence < zero, zero), (sequence > last, last), else_=sequence)


def _appended_after_alter() -> sa.ScalarSelect[int]:
    """Count a space's events from the last one on that was numbered 1, unless that is the first."""
    guards, old = rows_of("space_sequences"), rows_of("events", aside=True)
    own = old.c.space_id == guards.c.space_id
    again = sa.select(sa.func.max(old.c.event_id)).where(own, old.c.space_sequence == 1)
    first = sa.select(sa.func.min(old.c.event_id)).where(own)
    begin = again.correlate(guards).scalar_subquery()
    since = sa.and_(own, old.c.event_id >= begin, begin > first.correlate(guards).scalar_subquery())
    return sa.select(sa.func.count()).where(since).correlate(guards).scalar_subquery()


def _insert_checkpoints(
    connection: sa.Connection,
    name: str,
    updated_at: sa.ColumnElement[int],
    source: sa.FromClause,
    sequence: sa.ColumnElement[int],
) -> None:
    guards, events = rows_of("space_sequences"), rows_of("events")
    rows = (
        sa.select(
            guards.c.space_id,
            sequence.label("sequence"),
            updated_at.label("updated_at"),
        )
        .select_from(source)
        .subquery("reached")
    )
    at = sa.and_(events.c.space_id == rows.c.space_id, events.c.space_sequence == rows.c.sequence)
    query = sa.select(
        rows.c.space_id,
        sa.literal(name, sa.Text),
        sa.func.coalesce(events.c.event_id, 0),
        rows.c.sequence,
        rows.c.updated_at,
    ).select_from(rows.outerjoin(events, at))
    checkpoints = rows_of("projection_checkpoints")
    connection.execute(sa.insert(checkpoints).from_select(list(checkpoints.c.keys()), query))


def set_counters(connection: sa.Connection, highest_space_id: int) -> None:
    """Let no id be used again that was ever used, though its row is gone."""
    top = {"top": highest_space_id}
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(_POSTGRES_EVENTS))
        if highest_space_id:
            connection.execute(sa.text(_POSTGRES_SPACES), top)
        return
    for name, floor in (("events", 0), ("spaces", highest_space_id)):
        found = connection.scalar(
            sa.text("SELECT max(seq) FROM sqlite_sequence WHERE name IN (:name, :aside)"),
            {"name": name, "aside": f"{ASIDE}{name}"},
        )
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :n"), {"n": name})
        if highest := max(found or 0, floor):
            connection.execute(
                sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :highest)"),
                {"name": name, "highest": highest},
            )


_POSTGRES_EVENTS = f"""
SELECT setval('event_id_seq', GREATEST(
  COALESCE((SELECT max(event_id) FROM events), 0),
  COALESCE(pg_sequence_last_value(
    pg_get_serial_sequence('{ASIDE}events', 'event_id')::regclass), 0)))
"""  # noqa: S608 - a constant
_POSTGRES_SPACES = "SELECT setval(pg_get_serial_sequence('spaces', 'space_id'), :top)"
