"""Decide which spaces an older database becomes: those it registers, and those it only implies."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ramax.core.codec import encode
from ramax.core.limits import validate_space_name
from ramax.errors import LegacyFormatError
from ramax.storage.old_tables import ASIDE, rows_of

_log = logging.getLogger("ramax.migrations")


@dataclass(frozen=True, slots=True)
class Holding:
    """What a table holds of one space: rows, and the time of the first in milliseconds."""

    rows: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Registry:
    """The spaces to be, as rows of `spaces`; ``home`` gets the rows that name no space.

    ``highest_id`` is the highest id that a space ever had.
    """

    spaces: tuple[dict[str, Any], ...]
    home: int
    highest_id: int


def decide(
    connection: sa.Connection, forms: Mapping[str, str], space_name: str, now: int
) -> Registry:
    """Read what the tables that were set aside hold, and name a space for every row.

    Spaces that are registered keep id, name, metadata and time. Events of a space that is not
    registered are kept in a space named after its id. Rows that name no space go to the one
    called ``space_name``; pstate of one that only has events goes where the events are.
    """
    registered = _registered(connection) if "spaces" in forms else {}
    events = _holdings(connection, "events", forms["events"])
    pstate = _holdings(connection, "pstate_entities", forms["pstate_entities"])
    spaces = dict(registered)
    implied = events if "spaces" in forms else {**pstate, **events}
    for space_id in sorted(i for i in implied if i is not None and i not in registered):
        alone = len(implied) == 1 and not spaces
        name = validate_space_name(space_name) if alone else _free_name(space_id, spaces)
        spaces[space_id] = _row(space_id, name, implied[space_id].first * 1000 or now)
    highest = _highest_id(connection, forms)
    home = _home(spaces, events, pstate, space_name, highest)
    if home and home not in spaces:
        first = events[None].first * 1000 if None in events else 0
        spaces[home] = _row(home, validate_space_name(space_name), first or now)
    _report(registered, spaces, pstate)
    return Registry(tuple(spaces[i] for i in sorted(spaces)), home, max(highest, home))


def _home(
    spaces: Mapping[int, dict[str, Any]],
    events: Mapping[int | None, Holding],
    pstate: Mapping[int | None, Holding],
    space_name: str,
    highest: int,
) -> int:
    if None not in events and None not in pstate:
        return 0
    for space_id, row in spaces.items():
        if row["space_name"] == space_name or (None not in events and len(spaces) == 1):
            return space_id
    return highest + 1


def _registered(connection: sa.Connection) -> dict[int, dict[str, Any]]:
    old = rows_of("spaces", aside=True)
    query = sa.select(
        old.c.space_id,
        old.c.space_name,
        old.c.created_at,
        sa.cast(old.c.metadata, sa.LargeBinary),
    )
    return {
        space_id: _row(space_id, name, created_at * 1_000_000, _metadata(space_id, metadata))
        for space_id, name, created_at, metadata in connection.execute(query)
    }


def _metadata(space_id: int, stored: bytes | None) -> bytes | None:
    what = f"metadata of space {space_id}"
    try:
        value = json.loads(stored) if stored else None
    except (ValueError, RecursionError) as error:
        raise LegacyFormatError(what, stored, f"must be JSON: {error}") from error
    if value is None:
        return None
    return encode(value if isinstance(value, dict) else {"value": value}, what)


def _row(
    space_id: int, name: str, created_at: int, metadata: bytes | None = None
) -> dict[str, Any]:
    return {
        "space_id": space_id,
        "space_name": name,
        "created_at": created_at,
        "metadata": metadata,
    }


def _free_name(space_id: int, spaces: Mapping[int, dict[str, Any]]) -> str:
    taken = {row["space_name"] for row in spaces.values()}
    name = f"recovered-{space_id}"
    while name in taken:
        name += "-"
    return name


def _holdings(connection: sa.Connection, name: str, form: str) -> dict[int | None, Holding]:
    old = rows_of(name, aside=True)
    space = sa.null() if form == "plain" else old.c.space_id
    first = sa.func.min(old.c.timestamp) if name == "events" else sa.literal(0)
    query = sa.select(space.label("space"), sa.func.count(), first).group_by("space")
    found = connection.execute(query.select_from(old)).all()
    return {space_id: Holding(rows, first) for space_id, rows, first in found if rows}


def _highest_id(connection: sa.Connection, forms: Mapping[str, str]) -> int:
    """Find the highest id that a space ever had: those of deleted spaces are not used again."""
    tops = [
        sa.select(sa.func.max(rows_of(name, aside=True).c.space_id))
        for name, form in forms.items()
        if form != "plain"
    ]
    highest = [connection.scalar(top) or 0 for top in tops]
    if connection.dialect.name == "sqlite":
        counter = sa.text("SELECT max(seq) FROM sqlite_sequence WHERE name = :name")
        highest.append(connection.scalar(counter, {"name": f"{ASIDE}spaces"}) or 0)
    return max(highest, default=0)


def _report(
    registered: Mapping[int, Any],
    spaces: Mapping[int, dict[str, Any]],
    pstate: Mapping[int | None, Holding],
) -> None:
    for space_id in sorted(spaces.keys() - registered.keys()):
        _log.info("space %s is called %r", space_id, spaces[space_id]["space_name"])
    deleted = [i for i in pstate if i is not None and i not in spaces]
    for space_id in sorted(deleted):
        _log.warning(
            "space %s was deleted and left %s pstate rows: they are kept, no space shows them",
            space_id,
            pstate[space_id].rows,
        )
