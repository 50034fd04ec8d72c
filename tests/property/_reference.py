"""The domain under test, and a space as a plain dict: what every store has to come to."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ramax import Domain, NewEvent, Rejected
from ramax.core.codec import decode, encode
from ramax.values import Event, applied_event
from tests.property._operations import run

domain = Domain("property", entity_id=lambda payload: payload["entity"])


@domain.applicator("changed")
def changed(state: Any, event: Event) -> None:
    assert not hasattr(event, "event_id")
    assert not hasattr(event, "space_id")
    state["sequence"] = [event.space_sequence, event.entity_id]
    run(state, event.payload["operations"], event.payload)


def command(state: Any, params: Any) -> list[NewEvent]:
    """Put what it sees into its events; change what it sees, which must change nothing."""
    if params["reject"] in state:
        raise Rejected(params["reject"])
    seen = _look_and_spoil(state) if params["look"] else {}
    peeked = params["peek"]
    if isinstance(state.get(peeked), list):
        state[peeked].append("leak")
    return [
        NewEvent(
            "changed",
            {"entity": "e", "operations": each, "data": {"d": [index]}, "seen": seen},
        )
        for index, each in enumerate(params["events"])
    ]


def _look_and_spoil(state: Any) -> dict[str, Any]:
    keys = list(state)
    assert isinstance(state, dict) or keys == sorted(keys)
    seen = {key: deepcopy(state[key]) for key in sorted(keys)}
    for value in dict(state).values():
        if isinstance(value, (list, dict, set)):
            value.clear()
    return seen


def fresh(value: Any) -> Any:
    return decode(encode(value, "reference"))


def exactly(value: Any) -> bytes:
    """As bytes, so that 1, 1.0 and True differ."""
    return encode(value, "reference")


@dataclass
class Reference:
    """One space: a dict, folded the plainest way there is."""

    state: dict[str, Any] = field(default_factory=dict)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    behind: int = 0
    """Events at the end of `payloads` that are not folded yet."""

    def execute(self, params: Any) -> int:
        """Run the command; return how many events it gave. Raises what it, or folding, raises."""
        self.catch_up()
        news = command(_each_fresh(self.state), params)
        payloads = [fresh(new.payload) for new in news]
        draft = self.state
        for offset, payload in enumerate(payloads, start=1):
            draft = _apply(draft, payload, len(self.payloads) + offset)
        self.state = draft
        self.payloads += payloads
        return len(news)

    def append(self, payload: dict[str, Any]) -> None:
        self.payloads.append(fresh(payload))
        self.behind += 1

    def catch_up(self) -> int:
        done = len(self.payloads) - self.behind
        for sequence, payload in enumerate(self.payloads[done:], start=done + 1):
            self.state = _apply(self.state, payload, sequence)
        folded, self.behind = self.behind, 0
        return folded

    def copy(self) -> "Reference":
        return Reference(self.state, list(self.payloads), self.behind)


def _each_fresh(state: dict[str, Any]) -> dict[str, Any]:
    return {key: fresh(state[key]) for key in sorted(state)}


def _apply(state: dict[str, Any], payload: dict[str, Any], sequence: int) -> dict[str, Any]:
    draft = _each_fresh(state)
    changed(draft, applied_event(sequence, "e", "changed", fresh(payload), 0, None, None, None))
    return _each_fresh(draft)
