"""What led to an event, and what it led to: the events of a space by their causes."""

from dataclasses import dataclass, field

from ramax.errors import EventNotFoundError
from ramax.runtime.event_reads import EventReads
from ramax.values import Event, Space

MAX_NODES = 1000
"""Events that a tree holds unless somebody asks for another number."""


@dataclass(frozen=True, slots=True)
class EventNode:
    """An event and what it caused, in order; ``cut``: there is more than the tree may hold."""

    event: Event
    effects: tuple["EventNode", ...] = ()
    cut: bool = False


@dataclass(slots=True)
class _Branch:
    event: Event
    effects: list["_Branch"] = field(default_factory=list)
    cut: bool = False

    def node(self) -> EventNode:
        """Freeze it; its depth is bounded by the number of events only, so without recursion."""
        order, waiting = [], [self]
        while waiting:
            branch = waiting.pop()
            order.append(branch)
            waiting += branch.effects
        made: dict[int, EventNode] = {}
        for branch in reversed(order):
            effects = tuple(made[id(effect)] for effect in branch.effects)
            made[id(branch)] = EventNode(branch.event, effects, branch.cut)
        return made[id(self)]


async def read_tree(
    log: EventReads, space: Space, event: Event, *, most: int = MAX_NODES
) -> EventNode:
    """Read the tree that an event belongs to, from its first cause in the space down.

    A cause in another space, or one that is not there, is where the tree begins. Whoever causes
    itself, in however many steps, is shown once.

    Args:
        most: Events that the tree may hold; nodes with more effects are marked as ``cut``.
    """
    top = await _first_cause(log, space, event)
    root = _Branch(top)
    known, waiting, room = {top.event_id}, [root], most - 1
    while waiting:
        branch = waiting.pop(0)
        async for effect in log.caused_by(space, branch.event, limit=room + 1):
            if effect.event_id in known:
                continue
            if room <= 0:
                branch.cut = True
                break
            room -= 1
            known.add(effect.event_id)
            grown = _Branch(effect)
            branch.effects.append(grown)
            waiting.append(grown)
    return root.node()


async def _first_cause(log: EventReads, space: Space, event: Event) -> Event:
    seen = {event.event_id}
    while event.causation_id is not None and event.causation_id not in seen:
        try:
            cause = await log.get_event(event.causation_id)
        except EventNotFoundError:
            break
        if cause.space_id != space.space_id:
            break
        seen.add(cause.event_id)
        event = cause
    return event
