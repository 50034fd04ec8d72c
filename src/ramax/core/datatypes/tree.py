"""Trees of nodes with properties, in which two replicas may move things at once: the rules.

A node has one parent and a sort key among its siblings. A move that would put a node under itself
is refused where it is asked for, and left out where it comes from a replica that could not know:
folded in the same order, all replicas leave out the same ones, and none ever has a cycle. Source:
Kleppmann and others, *A highly-available move operation for replicated trees* (2022).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from ramax.core.datatypes.datatype import DataType
from ramax.core.domain import State
from ramax.core.fractional import between, check_sort_key
from ramax.errors import DataError, NodeExistsError, NodeNotFoundError, TreeCycleError
from ramax.values import Event, NewEvent

TREE = DataType("tree")
CREATED = TREE.type("created")
MOVED = TREE.type("moved")
CHANGED = TREE.type("changed")

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
    place = place_of(state, tree, node)
    while place is not None:
        yield place.parent
        place = place_of(state, tree, place.parent)


def create(state: State, params: tuple[str, str, Target, Mapping[str, Any]]) -> list[NewEvent]:
    """Make a node."""
    tree, node, target, properties = params
    where = Where(*target)
    if place_of(state, tree, node) is not None:
        raise NodeExistsError(tree, node)
    _check_live(state, tree, where.parent)
    payload = {**_payload(state, tree, node, where), "properties": dict(properties)}
    return [NewEvent(CREATED, payload, entity_id=TREE.id_of(tree))]


def move(state: State, params: tuple[str, str, Target]) -> list[NewEvent]:
    """Put a node, and with it what is under it, elsewhere; also back from the trash."""
    tree, node, target = params
    where = Where(*target)
    if place_of(state, tree, node) is None:
        raise NodeNotFoundError(tree, node)
    _check_live(state, tree, where.parent)
    if where.parent == node or node in above(state, tree, where.parent):
        raise TreeCycleError(tree, node, where.parent)
    payload = _payload(state, tree, node, where)
    return [NewEvent(MOVED, payload, entity_id=TREE.id_of(tree))]


def delete(state: State, params: tuple[str, str]) -> list[NewEvent]:
    """Put a node into the trash; nothing happens if it is there, or under something that is."""
    tree, node = params
    if not is_live(state, tree, node):
        return []
    if node == ROOT:
        raise DataError("node", node, "cannot be deleted")
    payload = _payload(state, tree, node, Where(TRASH))
    return [NewEvent(MOVED, payload, entity_id=TREE.id_of(tree))]


def restore(state: State, params: tuple[str, str]) -> list[NewEvent]:
    """Put a deleted node back under the parent that it had; nothing happens if it is not deleted.

    Raises:
        NodeNotFoundError: There is no such node, or that parent is deleted itself.
    """
    tree, node = params
    place = place_of(state, tree, node)
    if place is None:
        raise NodeNotFoundError(tree, node)
    if place.parent != TRASH or place.former is None:
        return []
    return move(state, (tree, node, Where(place.former)))


def change(state: State, params: tuple[str, str, Mapping[str, Any], list[str]]) -> list[NewEvent]:
    """Set properties of a node and take others away."""
    tree, node, set_, unset = params
    if not is_live(state, tree, node):
        raise NodeNotFoundError(tree, node)
    there = state.get(properties_key(tree, node), {})
    gone = [name for name in unset if name in there]
    if not set_ and not gone:
        return []
    payload = {"node": node, "set": dict(set_), "unset": gone}
    return [NewEvent(CHANGED, payload, entity_id=TREE.id_of(tree))]


def is_live(state: State, tree: str, node: str) -> bool:
    """Whether a node is there and not in the trash."""
    top = node
    for top in above(state, tree, node):  # noqa: B007 - the last one is what counts
        pass
    return top == ROOT


@TREE.applicator(CREATED)
def was_created(state: State, event: Event) -> None:
    """There is a node; where two replicas gave one the same id, the later one moves it."""
    tree, payload = TREE.name_of(event), event.payload
    _check_sound(payload)
    node, parent, properties = payload["node"], payload["parent"], payload["properties"]
    if place_of(state, tree, node) is not None:
        was_moved(state, event)
        return
    if parent == node or node in above(state, tree, parent):
        return
    if properties:
        state[properties_key(tree, node)] = dict(properties)
    _put(state, tree, node, Place(payload["parent"], payload["key"]))


@TREE.applicator(MOVED)
def was_moved(state: State, event: Event) -> None:
    """The node is elsewhere, unless that would be under itself."""
    tree, payload = TREE.name_of(event), event.payload
    _check_sound(payload)
    node, parent = payload["node"], payload["parent"]
    before = place_of(state, tree, node)
    if before is None or parent == node or node in above(state, tree, parent):
        return
    former = None
    if parent == TRASH:
        former = before.former if before.parent == TRASH else before.parent
    _put(state, tree, node, Place(parent, payload["key"], former))


@TREE.applicator(CHANGED)
def was_changed(state: State, event: Event) -> None:
    """The node has these properties now."""
    tree, payload = TREE.name_of(event), event.payload
    node, set_, unset = payload["node"], {**payload["set"]}, [*payload["unset"]]
    if place_of(state, tree, node) is None:
        return
    key = properties_key(tree, node)
    found = {**state.get(key, {}), **set_}
    for name in unset:
        found.pop(name, None)
    if found:
        state[key] = found
    else:
        state.pop(key, None)


def _check_sound(payload: Mapping[str, Any]) -> None:
    """Refuse a place that cannot be one: other replicas may say anything; see `check_sound`."""
    for each in (payload["node"], payload["parent"]):
        if type(each) is not str or not each or "/" in each:
            raise ValueError(each)
    if payload["node"] in {ROOT, TRASH}:
        raise ValueError(payload["node"])
    try:
        check_sort_key(payload["key"])
    except DataError as error:
        raise ValueError(payload["key"]) from error


def _put(state: State, tree: str, node: str, place: Place) -> None:
    before = place_of(state, tree, node)
    if before is not None:
        del state[_child_key(tree, node, before)]
    state[node_key(tree, node)] = list(place)
    state[_child_key(tree, node, place)] = True


def _child_key(tree: str, node: str, place: Place) -> str:
    return f"{children_prefix(tree, place.parent)}{place.sort_key}/{node}"


def _check_live(state: State, tree: str, parent: str) -> None:
    if parent == TRASH or not is_live(state, tree, parent):
        raise NodeNotFoundError(tree, parent)


def _payload(state: State, tree: str, node: str, where: Where) -> dict[str, Any]:
    return {"node": node, "parent": where.parent, "key": _sort_key(state, tree, node, where)}


def _sort_key(state: State, tree: str, node: str, where: Where) -> str:
    """Return a sort key for a place; siblings with the same one, by two replicas, stay together."""
    keyed: Any = state
    prefix = children_prefix(tree, where.parent)
    found = [key[len(prefix) :].split("/") for key in keyed.under(prefix)]
    siblings = [(sort_key, name) for sort_key, name in found if name != node]
    if where.sibling is None:
        at = 0 if where.side == "first" else len(siblings)
    else:
        names = [name for _, name in siblings]
        if where.sibling not in names:
            raise NodeNotFoundError(tree, where.sibling)
        at = names.index(where.sibling) + (where.side == "after")
    low = siblings[at - 1][0] if at else None
    high = next((key for key, _ in siblings[at:] if low is None or key > low), None)
    return between(low, high)
