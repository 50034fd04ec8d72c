"""What the raw rows of a database say, read and folded without any code of ramax."""

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


@dataclass
class Contents:
    """The rows of one space as they are; ``log`` rows begin with sequence, entity, type, payload."""

    space_id: int
    sequence: int
    checkpoint: int
    log: list[Any] = field(default_factory=list)
    stored: dict[str, Any] = field(default_factory=dict)


async def read(connection: AsyncConnection) -> dict[str, Found]:
    """Check every space; see `audit`."""
    return {name: _checked(space) for name, space in (await contents(connection)).items()}


async def contents(connection: AsyncConnection) -> dict[str, Contents]:
    """Read every space by name, without a judgement."""

    async def rows(text: str) -> list[Any]:
        return list(await connection.execute(sa.text(text)))

    names = {row[0]: row[1] for row in await rows("SELECT space_id, space_name FROM spaces")}
    heads = {r[0]: r[1] for r in await rows("SELECT space_id, last_sequence FROM space_sequences")}
    marks = {
        row[0]: row[1]
        for row in await rows(
            "SELECT space_id, last_space_sequence FROM projection_checkpoints WHERE name = 'pstate'"
        )
    }
    assert set(heads) == set(names)
    found = {i: Contents(i, heads[i], marks.get(i, 0)) for i in names}
    for space_id, *row in await rows(
        "SELECT space_id, space_sequence, entity_id, event_type, payload, event_id, timestamp"
        " FROM events ORDER BY space_id, space_sequence"
    ):
        row[3] = msgpack.unpackb(row[3])
        found[space_id].log.append(row)
    for space_id, key, value in await rows("SELECT space_id, key, value FROM pstate_entities"):
        found[space_id].stored[key] = msgpack.unpackb(value)
    return {names[space_id]: each for space_id, each in found.items()}


def _checked(raw: Contents) -> Found:
    space = Found(raw.sequence, raw.checkpoint)
    check_log(raw)
    assert raw.sequence == raw.checkpoint
    due = 0
    for sequence, entity_id, event_type, payload, *_ in raw.log:
        fold(space.state, entity_id, event_type, payload)
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
    assert raw.stored == space.state
    return space


def check_log(raw: Contents) -> None:
    """Sequences without a gap, as many as the hot row says; ids and times never go back."""
    assert [row[0] for row in raw.log] == list(range(1, len(raw.log) + 1))
    assert raw.sequence == len(raw.log)
    ids, times = [row[4] for row in raw.log], [row[5] for row in raw.log]
    assert ids == sorted(set(ids))
    assert times == sorted(times)


def fold(state: dict[str, Any], entity_id: str, event_type: str, payload: dict[str, Any]) -> None:
    """Apply an event of the ledger, by this module's own reading of what it means."""
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
