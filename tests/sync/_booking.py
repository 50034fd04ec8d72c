"""A domain in which only one can win: seats, and an account that counts what was applied."""

from typing import Any

import ramax
from ramax import Domain, NewEvent, Rejected

booking = Domain("booking")


class Taken(Rejected):
    """The seat is somebody else's."""


def book(state: Any, params: Any) -> list[NewEvent]:
    """Take a seat: ``("12a", "ann", "some id")``."""
    seat, who, ident = params
    if f"seat:{seat}" in state:
        raise Taken(f"{seat} is {state[f'seat:{seat}']}'s")
    return [NewEvent("seat.booked", {"who": who, "id": ident}, entity_id=f"seat:{seat}")]


def release(state: Any, params: Any) -> list[NewEvent]:
    """Give a seat back, if it is one's own."""
    seat, who, ident = params
    if state.get(f"seat:{seat}") != who:
        raise Taken(f"{seat} is not {who}'s")
    return [NewEvent("seat.released", {"who": who, "id": ident}, entity_id=f"seat:{seat}")]


def count(state: Any, params: Any) -> list[NewEvent]:
    """Add to a sum; never fails."""
    return [NewEvent("sum.added", {"more": params[0], "id": params[1]}, entity_id="sum")]


COMMANDS = [book, release, count]


@booking.applicator("seat.booked")
def _booked(state: Any, event: Any) -> None:
    state[event.entity_id] = event.payload["who"]


@booking.applicator("seat.released")
def _released(state: Any, event: Any) -> None:
    state.pop(event.entity_id, None)


@booking.applicator("sum.added")
def _added(state: Any, event: Any) -> None:
    state["sum"] = state.get("sum", 0) + event.payload["more"]


async def rows(state: Any) -> dict[str, Any]:
    """Everything in a read model."""
    return {key: value async for key, value in state.scan()}


async def applied(store: ramax.ContentStore) -> list[str]:
    """The ids in the events of a store, in their order."""
    return [event.payload["id"] async for event in store.events.stream_space_events()]
