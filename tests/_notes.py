"""A domain in two versions: the older one writes and deletes keys that the newer one does not."""

from collections.abc import Iterable, Mapping
from typing import Any

import ramax
from ramax import Domain, NewEvent

NOTES = 40


def notes(version: int) -> Domain:
    """Fold notes; 1 is what older processes still run, 2 what a rebuild brings."""
    domain = Domain("notes", entity_id=lambda payload: f"note:{payload['id']}")

    @domain.applicator("written")
    def written(state: Any, event: Any) -> None:
        state[event.entity_id] = {"v": version, "text": event.payload["text"]}
        log = state.setdefault(f"log:{event.payload['id'] % 3}", [])
        log.append(event.payload["text"])
        del log[:-9]
        state["count"] = state.get("count", 0) + 1
        if version == 1:
            state[f"old:{event.space_sequence % 5}"] = event.space_sequence

    @domain.applicator("erased")
    def erased(state: Any, event: Any) -> None:
        if version == 1:
            state.pop(event.entity_id, None)
        else:
            state[event.entity_id] = {"v": version, "text": None}

    return domain


def write(state: Mapping[str, Any], params: Any) -> list[NewEvent]:
    """Write or erase notes: ``params`` is a list of (id, text), None as a text erases."""
    return [
        NewEvent("erased", {"id": each})
        if text is None
        else NewEvent("written", {"id": each, "text": text})
        for each, text in params
    ]


def some(start: int, count: int) -> list[tuple[int, str | None]]:
    """Parameters for ``count`` events; every ninth erases."""
    return [
        ((i * 7) % NOTES, None if i % 9 == 8 else f"text {i}") for i in range(start, start + count)
    ]


def expected(payloads: Iterable[Mapping[str, Any]], version: int) -> dict[str, Any]:
    """The state after these payloads, without the domain, a store or ramax."""
    state: dict[str, Any] = {}
    for sequence, payload in enumerate(payloads, start=1):
        key = f"note:{payload['id']}"
        if "text" in payload:
            state[key] = {"v": version, "text": payload["text"]}
            log = f"log:{payload['id'] % 3}"
            state[log] = [*state.get(log, []), payload["text"]][-9:]
            state["count"] = state.get("count", 0) + 1
            if version == 1:
                state[f"old:{sequence % 5}"] = sequence
        elif version == 1:
            state.pop(key, None)
        else:
            state[key] = {"v": version, "text": None}
    return state


async def payloads(store: ramax.ContentStore) -> list[dict[str, Any]]:
    return [event.payload async for event in store.events.stream_space_events()]


async def scanned(store: ramax.ContentStore) -> dict[str, Any]:
    return {key: value async for key, value in store.pstate.scan()}
