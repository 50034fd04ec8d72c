"""What the raw rows of a database say, read and folded without any code of ramax."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

TABLES = (
    "spaces",
    "space_sequences",
    "events",
    "pstate_entities",
    "projection_checkpoints",
    "idempotency_keys",
)


@dataclass
class Found:
    """One space as its rows tell it."""

    sequence: int
    checkpoint: int
    commands: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)


async def dump(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in an order that does not depend on when they were written."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        rows = {
            table: [
                tuple(row) for row in await connection.execute(sa.text(f"SELECT * FROM {table}"))
            ]
            for table in TABLES
        }
    await engine.dispose()
    return {table: sorted(found, key=repr) for table, found in rows.items()}


async def audit(url: str) -> dict[str, Found]:
    """Check every space of a ledger database; return what each holds, by name.

    Sequences are 1, 2, 3 … and as many as the hot row says; every command is whole and there
    once; the pstate is the fold of the events and its checkpoint is the last of them.
    """
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await read(connection)
    await engine.dispose()
    return found


async def read(connection: AsyncConnection) -> dict[str, Found]:
    async def rows(text: str) -> list[Any]:
        return list(await connection.execute(sa.text(text)))

    names = {row[0]: row[1] for row in await rows("SELECT space_id, space_name FROM spaces")}
    heads = dict(map(tuple, await rows("SELECT space_id, last_sequence FROM space_sequences")))
    assert set(heads) == set(names)
    marks = dict(
        map(
            tuple,
            await rows(
                "SELECT space_id, last_space_sequence FROM projection_checkpoints"
                " WHERE name = 'pstate'"
            ),
        )
    )
    found = {space_id: Found(heads[space_id], marks.get(space_id, 0)) for space_id in names}
    events: dict[int, list[Any]] = {space_id: [] for space_id in names}
    for row in await rows(
        "SELECT space_id, space_sequence, entity_id, event_type, payload, event_id, timestamp"
        " FROM events ORDER BY space_id, space_sequence"
    ):
        events[row[0]].append(row)
    stored: dict[int, dict[str, Any]] = {space_id: {} for space_id in names}
    for space_id, key, value in await rows("SELECT space_id, key, value FROM pstate_entities"):
        stored[space_id][key] = msgpack.unpackb(value)
    for space_id, log in events.items():
        _check(found[space_id], log, stored[space_id])
    return {names[space_id]: each for space_id, each in found.items()}


def _check(space: Found, log: list[Any], stored: Mapping[str, Any]) -> None:
    assert [row[1] for row in log] == list(range(1, len(log) + 1))
    assert space.sequence == len(log) == space.checkpoint
    ids, times = [row[5] for row in log], [row[6] for row in log]
    assert ids == sorted(set(ids))
    assert times == sorted(times)
    due = 0
    for _, sequence, entity_id, event_type, packed, *_ in log:
        payload = msgpack.unpackb(packed)
        _fold(space.state, entity_id, event_type, payload)
        if event_type == "counted":
            continue
        name, part = payload["name"], payload["part"]
        assert part == due + 1, f"half a command at {sequence}"
        due = part % payload["parts"]
        if part == 1:
            space.commands.append(name)
        else:
            assert space.commands[-1] == name, f"commands are mixed at {sequence}"
    assert due == 0, "the last command is half there"
    assert len(set(space.commands)) == len(space.commands), "a command is there twice"
    assert stored == space.state


def _fold(state: dict[str, Any], entity_id: str, event_type: str, payload: dict[str, Any]) -> None:
    if event_type == "posted":
        total, posts = state.get(entity_id, {"total": 0, "posts": []}).values()
        if payload["part"] == 1:  # what the command saw is what the events before it made
            assert payload["balance"] == total
        state[entity_id] = {
            "total": total + payload["amount"],
            "posts": [*posts, payload["name"]][-5:],
        }
    elif event_type == "closed":
        del state[entity_id]
    elif event_type == "counted":
        assert payload["to"] == state.get("counter", 0) + 1
        state["counter"] = payload["to"]
