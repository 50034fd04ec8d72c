"""What a place that holds records takes of those that come: new ones, duplicates, gaps, forks."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector
from ramax.errors import ForkError, GapError


class Accepted(NamedTuple):
    """The records to be added, by origin and sequence, and how many were there already."""

    new: list[EventRecord]
    duplicates: int


def accept(
    space: str,
    records: Iterable[EventRecord],
    vector: Vector,
    digest_at: Callable[[bytes, int], bytes],
) -> Accepted:
    """Sort out records that come in any order, some of them twice.

    Args:
        vector: How far the place is.
        digest_at: Returns the digest of a record that is there.

    Raises:
        GapError: Records of an origin before these are missing.
        ForkError: A record is there, or comes twice, with other content.
    """
    reached = dict(vector)
    new: list[EventRecord] = []
    duplicates = 0
    for record in sorted(records, key=lambda each: (each.origin, each.origin_seq)):
        origin, seq = record.origin, record.origin_seq
        top = reached.get(origin, 0)
        if seq > top + 1:
            raise GapError(space, dict(vector))
        if seq == top + 1:
            reached[origin] = seq
            new.append(record)
            continue
        # a place that was just taken is that of the record before this one
        there = digest_at(origin, seq) if seq <= vector.get(origin, 0) else new[-1].digest
        if there != record.digest:
            raise ForkError(space, origin, seq)
        duplicates += 1
    return Accepted(new, duplicates)
