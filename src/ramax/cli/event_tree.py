"""A tree of events by their causes, as lines and as a JSON document."""

from collections.abc import Iterator
from typing import Any

from ramax.cli.documents import event_document
from ramax.cli.output import value_text
from ramax.runtime.event_tree import EventNode


def tree_document(root: EventNode, space_name: str) -> dict[str, Any]:
    """Describe a tree: each event with its ``effects``; ``cut`` where there are more."""
    documents: dict[int, dict[str, Any]] = {}
    nodes = [node for node, _, _ in _walk(root) if node is not None]
    for node in reversed(nodes):
        effects = [documents[id(effect)] for effect in node.effects]
        documents[id(node)] = event_document(node.event, space_name) | {
            "cut": node.cut,
            "effects": effects,
        }
    return documents[id(root)]


def tree_lines(root: EventNode, asked: int) -> Iterator[str]:
    """Draw a tree, one event in each line; a star stands at the one that was asked for."""
    for node, lead, branch in _walk(root):
        if node is None:
            yield f"{lead}{branch}and more"
            continue
        event = node.event
        star = " *" if event.event_id == asked else ""
        text = f"{event.event_id}  {event.event_type}  {event.entity_id}"
        yield f"{lead}{branch}{text}  {value_text(event.payload)}{star}"


def _walk(root: EventNode) -> Iterator[tuple[EventNode | None, str, str]]:
    """Yield each node, after its cause, with what is drawn before it; None is what was cut off.

    A chain may be long, so it is walked without recursion.
    """
    waiting: list[tuple[EventNode | None, str, str]] = [(root, "", "")]
    while waiting:
        node, lead, branch = waiting.pop()
        yield node, lead, branch
        if node is None:
            continue
        below = _under(lead, branch)
        effects = [*node.effects, *([None] if node.cut else [])]
        branches = ["├─ "] * (len(effects) - 1) + ["└─ "]
        waiting += [
            (effect, below, drawn)
            for effect, drawn in reversed(list(zip(effects, branches, strict=False)))
        ]


def _under(lead: str, branch: str) -> str:
    return lead + {"": "", "└─ ": "   ", "├─ ": "│  "}[branch]
