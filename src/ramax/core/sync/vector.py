"""Version vectors: how far a replica knows each origin, and what another one lacks.

The sequence of an origin has no gaps, so one number per origin tells everything.
"""

from collections.abc import Iterable, Mapping

from ramax.core.sync.record import EventRecord

Vector = Mapping[bytes, int]
"""The highest sequence known of each origin; one that is not named is 0."""


def joined(one: Vector, other: Vector) -> dict[bytes, int]:
    """Return what two replicas know together."""
    return {origin: max(one.get(origin, 0), other.get(origin, 0)) for origin in {*one, *other}}


def covers(one: Vector, other: Vector) -> bool:
    """Whether ``one`` knows all that ``other`` knows."""
    return all(one.get(origin, 0) >= seq for origin, seq in other.items())


def missing(known: Vector, since: Vector) -> dict[bytes, tuple[int, int]]:
    """Return by origin the range after < sequence <= upto that ``since`` lacks of ``known``."""
    return {
        origin: (since.get(origin, 0), seq)
        for origin, seq in known.items()
        if seq > since.get(origin, 0)
    }


def behind(known: Vector, since: Vector) -> int:
    """Count the events that ``since`` lacks of ``known``."""
    return sum(upto - after for after, upto in missing(known, since).values())


def advanced(vector: Vector, records: Iterable[EventRecord]) -> dict[bytes, int]:
    """Return the vector after records that follow it without a gap."""
    after = dict(vector)
    for record in records:
        after[record.origin] = max(after.get(record.origin, 0), record.origin_seq)
    return after
