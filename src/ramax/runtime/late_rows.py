"""Which events of a page came late, for who follows a log in the order in which they came."""

from collections.abc import Collection, Sequence
from typing import Any

from ramax.storage.executors import Executor, Row
from ramax.storage.runs import read_late

_SPACE, _SEQUENCE = 1, 2


class LateRow(tuple[Any, ...]):
    """The row of an event that came after others which follow it in the order of all replicas."""

    __slots__ = ()


def with_late(ex: Executor, rows: Sequence[Row], replicated: Collection[int]) -> Sequence[Row]:
    """Mark those rows of a page that came late; only replicated spaces have some."""
    found: set[tuple[int, int]] = set()
    for space_id in {row[_SPACE] for row in rows if row[_SPACE] in replicated}:
        sequences = [row[_SEQUENCE] for row in rows if row[_SPACE] == space_id]
        # nothing was there before the first one; where a space began with it, it is marked as well
        after, upto = max(min(sequences) - 1, 1), max(sequences)
        found |= {(space_id, each) for each in read_late(ex, space_id, after=after, upto=upto)}
    if not found:
        return rows
    return [LateRow(row) if (row[_SPACE], row[_SEQUENCE]) in found else row for row in rows]
