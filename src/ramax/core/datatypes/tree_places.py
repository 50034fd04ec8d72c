"""Where the nodes of a tree are: the keys of its part of the state, and what they hold."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from ramax.core.domain import State

ROOT: Final = "root"
"""The node above all others; it is always there, and cannot be moved."""

TRASH: Final = "trash"
"""Where deleted nodes go, with what is under them; also always there."""

Side = Literal["first", "last", "before", "after"]


class Place(NamedTuple):
    """Where a node is: ``former`` is the parent that it was deleted from."""

    parent: str
    sort_key: str
    former: str | None = None


class Where(NamedTuple):
    """Where a node is to be: among the children of a parent, at an end or beside a sibling."""

    parent: str
    side: Side = "last"
    sibling: str | None = None


Target = tuple[str, Side, str | None]
"""A `Where` as the plain tuple that an idempotency key can be compared by."""


def node_key(tree: str, node: str) -> str:
    """Return the key of a node's place."""
    return f"n/{tree}/{node}"


def properties_key(tree: str, node: str) -> str:
    """Return the key of a node's properties."""
    return f"p/{tree}/{node}"


def children_prefix(tree: str, parent: str) -> str:
    """Return what the keys of a node's children begin with: sort key and id follow, in order."""
    return f"c/{tree}/{parent}/"


def place_of(state: State, tree: str, node: str) -> Place | None:
    """Return where a node is; None for one that never was."""
    found = state.get(node_key(tree, node))
    return None if found is None else Place(*found)


def above(state: State, tree: str, node: str) -> Iterator[str]:
    """Yield the nodes above one, its parent first; ends with `ROOT` or `TRASH`."""
    get, prefix = state.get, node_key(tree, "")
    while (found := get(prefix + node)) is not None:
        node = found[0]
        yield node


def is_within(state: State, tree: str, node: str, other: str) -> bool:
    """Whether a node is another one, or anywhere under it."""
    get, prefix = state.get, node_key(tree, "")
    while node != other:
        if node == ROOT or (found := get(prefix + node)) is None:
            return False
        node = found[0]
    return True


def is_live(state: State, tree: str, node: str) -> bool:
    """Whether a node is there and not in the trash."""
    top = node
    for top in above(state, tree, node):  # noqa: B007 - the last one is what counts
        pass
    return top == ROOT


def put(state: State, tree: str, node: str, place: Place, before: Place | None = None) -> None:
    """Set where a node is, and was before."""
    if before is not None:
        del state[child_key(tree, node, before)]
    state[node_key(tree, node)] = list(place)
    state[child_key(tree, node, place)] = True


def child_key(tree: str, node: str, place: Place) -> str:
    """Return the key of a node among the children of its parent."""
    return f"{children_prefix(tree, place.parent)}{place.sort_key}/{node}"
