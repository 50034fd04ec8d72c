"""What it costs to make an event, by the kind of class it is; the evidence of ADR 0009.

    python benchmarks/event_class.py

Each kind makes the same events from rows that are there already. Rounds are interleaved; the
figures are nanoseconds for one event, the median of the rounds.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ramax.values import from_micros, recorded_event

EVENTS, ROUNDS = 50_000, 9

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    event_id: int
    space_id: int
    space_sequence: int
    entity_id: str
    event_type: str
    payload: dict[str, Any]
    timestamp: datetime | int
    causation_id: int | None
    correlation_id: str | None
    metadata: dict[str, Any] | None


@dataclass(slots=True)
class MutableSlots:
    event_id: int
    space_id: int
    space_sequence: int
    entity_id: str
    event_type: str
    payload: dict[str, Any]
    timestamp: datetime | int
    causation_id: int | None
    correlation_id: str | None
    metadata: dict[str, Any] | None


class Named(NamedTuple):
    event_id: int
    space_id: int
    space_sequence: int
    entity_id: str
    event_type: str
    payload: dict[str, Any]
    timestamp: datetime | int
    causation_id: int | None
    correlation_id: str | None
    metadata: dict[str, Any] | None


def frozen_with_datetime(  # noqa: PLR0917 - the columns of a row
    i: int, s: int, n: int, e: str, t: str, p: Any, m: int, *rest: Any
) -> Any:
    return FrozenSlots(i, s, n, e, t, p, from_micros(m), *rest)


def named_unchecked(*row: Any) -> Named:
    return tuple.__new__(Named, row)


KINDS: dict[str, Callable[..., Any]] = {
    "frozen dataclass with slots, timestamp made at once": frozen_with_datetime,
    "frozen dataclass with slots": FrozenSlots,
    "NamedTuple": Named,
    "NamedTuple by tuple.__new__": named_unchecked,
    "dataclass with slots, not frozen": MutableSlots,
    "slots, then the class swapped (recorded_event)": recorded_event,
}


def rows() -> list[Row]:
    return [
        (n, 7, n, f"contact:{n}", "contact.added", {"name": "Ann"}, 10**15 + n, None, None, None)
        for n in range(EVENTS)
    ]


def nanoseconds(make: Callable[..., Any], data: Sequence[Row]) -> float:
    gc.collect()
    gc.disable()  # a page of events is made with the collector frozen
    started = time.perf_counter_ns()
    for a, b, c, d, e, f, g, h, i, j in data:
        make(a, b, c, d, e, f, g, h, i, j)
    passed = time.perf_counter_ns() - started
    gc.enable()
    return passed / len(data)


def main() -> None:
    data = rows()
    rounds = [
        {name: nanoseconds(make, data) for name, make in KINDS.items()} for _ in range(ROUNDS)
    ]
    print(f"Python {sys.version.split()[0]}, {EVENTS:,} events, median of {ROUNDS} rounds")
    for name in KINDS:
        print(f"{statistics.median(each[name] for each in rounds):>7.0f} ns  {name}")


if __name__ == "__main__":
    main()
