"""A tree without a database: its events, and the state that its rules see."""

from typing import Any

from ramax.core.datatypes.tree import TREE
from ramax.values import Event, applied_event


def event(number: int, event_type: str, payload: dict[str, Any]) -> Event:
    return applied_event(number, TREE.id_of("t"), event_type, payload, number, None, None, None)


class Keyed(dict[str, Any]):
    """A state of one data type, as its rules see it."""

    def under(self, prefix: str) -> list[str]:
        return sorted(key for key in self if key.startswith(prefix))

    def nearest(self, low: str, high: str, *, down: bool = False) -> str | None:
        found = [key for key in self if low <= key < high]
        return (max if down else min)(found, default=None)

    def fold(self, events: Any) -> None:
        for number, each in enumerate(events):
            TREE.apply(self, event(number, each.event_type, each.payload))

    def children(self, parent: str) -> list[str]:
        return [key.rpartition("/")[2] for key in self.under(f"c/t/{parent}/")]
