"""Rows of replicas without a replica, where a space holds what cannot be replicated."""

import ramax
from ramax.core.sync.place import FoldPlace
from ramax.core.sync.runs import ALONE, Run
from ramax.storage import pending, quarantine
from ramax.storage.canonical_snapshots import write_canonical
from ramax.storage.layer_cursors import LayerCursor, put_cursor
from ramax.storage.pending import PendingRow
from ramax.storage.runs import write_runs
from ramax.testing.records import record


async def came_from(db: ramax.Database, space_id: int) -> None:
    """Let the first event of a space have an origin."""
    origin = space_id.to_bytes(16)
    await db._core.locked(
        "a test", lambda ex: write_runs(ex, space_id, [Run(1, origin, 1, 1, ALONE)])
    )


async def looked_back(db: ramax.Database, space_id: int) -> None:
    """Let a space have a snapshot for events that come late."""
    origin = space_id.to_bytes(16)
    place = FoldPlace((1, origin, 1), 1, {origin: 1})
    await db._core.locked(
        "a test", lambda ex: write_canonical(ex, space_id, "fold", place, [("key", b"1")])
    )


async def refused(db: ramax.Database, space: ramax.Space) -> None:
    """Let a space keep a record of a replica aside."""
    given = record(b"stranger" + space.space_id.to_bytes(8), 1)
    await db._core.locked(
        "a test",
        lambda ex: quarantine.settle(ex, space.space_id, [(given, "sync.unsound", "no")], 1),
    )


async def postponed(db: ramax.Database, space: ramax.Space) -> None:
    """Let a command of a space wait for its authority."""
    row = PendingRow(0, space.space_id.to_bytes(16), "command", b"", 1)
    await db._core.locked("a test", lambda ex: pending.add(ex, space.space_id, row))


async def heard_of(db: ramax.Database, space: ramax.Space) -> None:
    """Let a layer of a space be known."""
    cursor = LayerCursor(space.space_name, {space.space_id.to_bytes(16): 1}, heard_at=1)
    await db._core.locked(
        "a test", lambda ex: put_cursor(ex, space.space_id, space.space_name, cursor)
    )
