"""Small domains that many tests fold with."""

from typing import Any

from ramax import Domain, NewEvent, Rejected


def counter(name: str = "counter") -> Domain:
    """Counts its events in the key `n`; the entity is the payload's `id`, else `n`."""
    domain = Domain(name, entity_id=lambda payload: payload.get("id", "n"), fold_version=1)

    @domain.applicator("added")
    def added(state: Any, event: Any) -> None:
        state["n"] = state.get("n", 0) + event.payload["by"]

    return domain


def add(state: Any, params: Any) -> list[NewEvent]:
    """Count on by one, or by what is given."""
    return [NewEvent("added", {"by": 1 if params is None else params})]


def add_read(state: Any, params: Any) -> list[NewEvent]:
    """Count on by one, having looked: what the counter was is in the event."""
    return [NewEvent("added", {"by": 1, "was": state.get("n", 0)})]


def refuse(state: Any, params: Any) -> list[NewEvent]:
    raise Rejected("no")


def nothing(state: Any, params: Any) -> list[NewEvent]:
    return []


def documents(name: str = "documents") -> Domain:
    """Stores payloads under their entity: `doc.put`, `doc.deleted`."""
    domain = Domain(name, fold_version=1)

    @domain.applicator("doc.put")
    def put(state: Any, event: Any) -> None:
        state[event.entity_id] = event.payload

    @domain.applicator("doc.deleted")
    def deleted(state: Any, event: Any) -> None:
        del state[event.entity_id]

    return domain


def put(state: Any, params: Any) -> list[NewEvent]:
    """Store ``params[1]`` under the entity ``params[0]``."""
    return [NewEvent("doc.put", params[1], entity_id=params[0])]


def delete(state: Any, params: Any) -> list[NewEvent]:
    return [NewEvent("doc.deleted", {}, entity_id=params)]
