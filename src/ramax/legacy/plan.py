"""What an old database becomes: its spaces, and the place of every row in them."""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ramax.errors import LegacyFormatError
from ramax.legacy.records import BadRow, LegacySpace
from ramax.legacy.rows import metadata_of, space_of
from ramax.legacy.spaces import name_spaces
from ramax.legacy.stored import StoredRows
from ramax.legacy.tally import Tally


@dataclass(frozen=True, slots=True)
class Plan:
    """The spaces to be, by id; ``home`` is for rows that name no space.

    ``orphans`` counts the pstate rows of deleted spaces by space id; ``bad_spaces`` are rows of the
    registry whose metadata is lost.
    """

    spaces: Mapping[int, LegacySpace]
    home: int
    orphans: Mapping[int, int]
    tallies: Mapping[int, Tally]
    bad_spaces: tuple[BadRow, ...]

    def space_of(self, stored: object) -> int | None:
        """The space of a row that names ``stored``; None for an orphan.

        Raises `LegacyFormatError` for what is no space id.
        """
        if stored is None:
            return self.home
        if type(stored) is not int:
            raise LegacyFormatError("space_id", stored, "must be an integer")
        return stored if stored in self.spaces else None


@dataclass(frozen=True, slots=True)
class _Registered:
    name: str
    created_at: int
    metadata: Mapping[str, Any] | None


def make_plan(stored: StoredRows, space_name: str) -> Plan:
    """Read everything but payloads and values once, and decide."""
    registered, bad = _registered(stored)
    naming = name_spaces(
        {space_id: row.name for space_id, row in registered.items()},
        {space for _, space, _, _ in stored.event_places() if _is_id(space)},
        {space for space, _ in stored.value_spaces() if _is_id(space)},
        space_name,
        has_registry=stored.has("spaces"),
        highest_id=max(stored.highest(role, "space_id") for role in stored.tables),
    )
    tallies = _tallies(stored, naming.home, {*registered, *naming.names})
    keys = Counter(naming.home if space is None else space for space, _ in stored.value_spaces())
    for space_id, name in naming.names.items():
        first = tallies[space_id].first_timestamp or time.time_ns() // 1000
        registered[space_id] = _Registered(name, first, None)
    spaces = {
        space_id: LegacySpace(
            space_id,
            row.name,
            row.created_at,
            row.metadata,
            space_id not in naming.names,
            tallies[space_id].last_sequence,
            tallies[space_id].count,
            keys[space_id],
            tallies[space_id].renumbered and stored.form("events") == "spaced",
        )
        for space_id, row in sorted(registered.items())
    }
    orphans = {space_id: keys[space_id] for space_id in sorted(naming.orphans)}
    return Plan(spaces, naming.home, orphans, tallies, bad)


def _is_id(space: object) -> bool:
    return space is None or type(space) is int


def _registered(stored: StoredRows) -> tuple[dict[int, _Registered], tuple[BadRow, ...]]:
    found: dict[int, _Registered] = {}
    bad: list[BadRow] = []
    for row in stored.spaces():
        space_id, name, created_at, json = space_of(row)
        metadata = None
        if ("spaces", (space_id,)) not in stored.left_out:
            try:
                metadata = metadata_of(json)
            except LegacyFormatError as error:
                bad.append(BadRow("spaces", (space_id,), str(error)))
        found[space_id] = _Registered(name, created_at, metadata)
    return found, tuple(bad)


def _tallies(stored: StoredRows, home: int, spaces: Collection[int]) -> dict[int, Tally]:
    kept = {
        space_id: (event_id, sequence)
        for space_id, event_id, sequence, _ in stored.checkpoints()
        if type(event_id) is type(sequence) is int
    }
    ranked = stored.form("events") == "plain"
    tallies = {space_id: Tally(ranked, kept.get(space_id)) for space_id in spaces}
    for event_id, space, sequence, timestamp in stored.event_places():
        space_id = home if space is None else space
        if type(event_id) is int and type(space_id) is int:
            micros = timestamp * 1000 if type(timestamp) is int else 0
            tallies[space_id].add(event_id, sequence, micros)
    return tallies
