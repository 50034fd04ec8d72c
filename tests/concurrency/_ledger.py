"""A small domain in which a half-done, lost or doubled command shows in the raw rows."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from ramax import Domain, Event, NewEvent, Rejected

ledger = Domain("ledger", entity_id=lambda payload: f"account:{payload['account']}")


class Overdrawn(Rejected):
    """The account has not that much."""


def post(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Add ``amount`` to an account in ``parts`` events; ``name`` tells commands apart."""
    parts = params.get("parts", 1)
    balance = state.get(f"account:{params['account']}", {"total": 0})["total"]
    if balance + params["amount"] * parts < 0:
        raise Overdrawn(params["account"])
    return [
        NewEvent("posted", {**params, "parts": parts, "part": part, "balance": balance})
        for part in range(1, parts + 1)
    ]


def close(state: Mapping[str, Any], params: Mapping[str, Any]) -> list[NewEvent]:
    """Remove an account, whatever it holds; nothing where there is none."""
    if f"account:{params['account']}" not in state:
        return []
    return [NewEvent("closed", {**params, "parts": 1, "part": 1})]


@ledger.applicator("posted")
def _posted(state: MutableMapping[str, Any], event: Event) -> None:
    entry = state.setdefault(event.entity_id, {"total": 0, "posts": []})
    entry["total"] += event.payload["amount"]
    entry["posts"] = [*entry["posts"], event.payload["name"]][-5:]


@ledger.applicator("closed")
def _closed(state: MutableMapping[str, Any], event: Event) -> None:
    del state[event.entity_id]


def increment(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    """Raise the one counter of the space by one; says what it saw."""
    return [NewEvent("counted", {"to": state.get("counter", 0) + 1}, entity_id="counter")]


@ledger.applicator("counted")
def _counted(state: MutableMapping[str, Any], event: Event) -> None:
    state["counter"] = event.payload["to"]
