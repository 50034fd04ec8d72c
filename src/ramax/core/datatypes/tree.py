"""Trees of nodes with properties, in which two replicas may move things at once: the rules.

A node has one parent and a sort key among its siblings. A move that would put a node under itself
is refused where it is asked for, and left out where it comes from a replica that could not know:
folded in the same order, all replicas leave out the same ones, and none ever has a cycle. Source:
Kleppmann and others, *A highly-available move operation for replicated trees* (2022).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ramax.core.datatypes.datatype import DataType
from ramax.core.datatypes.tree_order import Keyed, place_for
from ramax.core.datatypes.tree_places import (
    ROOT,
    TRASH,
    Place,
    Target,
    Where,
    is_live,
    is_within,
    node_key,
    place_of,
    properties_key,
    put,
)
from ramax.core.domain import State
from ramax.core.fractional import check_sort_key
from ramax.errors import DataError, NodeExistsError, NodeNotFoundError, TreeCycleError
from ramax.values import Event, NewEvent

TREE = DataType("tree", alone=True)
CREATED = TREE.type("created")
MOVED = TREE.type("moved")
CHANGED = TREE.type("changed")


def create(state: State, params: tuple[str, str, Target, Mapping[str, Any]]) -> list[NewEvent]:
    """Make a node."""
    tree, node, target, properties = params
    where = Where(*target)
    if place_of(state, tree, node) is not None:
        raise NodeExistsError(tree, node)
    _check_live(state, tree, where.parent)
    key, others = place_for(state, tree, node, where)
    payload = {"node": node, "parent": where.parent, "key": key, "properties": dict(properties)}
    return [NewEvent(CREATED, payload, entity_id=TREE.id_of(tree)), *_moved(tree, others)]


def move(state: State, params: tuple[str, str, Target]) -> list[NewEvent]:
    """Put a node, and with it what is under it, elsewhere; also back from the trash."""
    tree, node, target = params
    where = Where(*target)
    if place_of(state, tree, node) is None:
        raise NodeNotFoundError(tree, node)
    _check_live(state, tree, where.parent)
    if is_within(state, tree, where.parent, node):
        raise TreeCycleError(tree, node, where.parent)
    return _put_at(state, tree, node, where)


def delete(state: State, params: tuple[str, str]) -> list[NewEvent]:
    """Put a node into the trash; nothing happens if it is there, or under something that is."""
    tree, node = params
    if not is_live(state, tree, node):
        return []
    if node == ROOT:
        raise DataError("node", node, "cannot be deleted")
    return _put_at(state, tree, node, Where(TRASH))


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


@TREE.applicator(CREATED)
def was_created(state: State, event: Event) -> None:
    """There is a node; where two replicas gave one the same id, the later one moves it."""
    tree, payload = TREE.name_of(event), event.payload
    _check_sound(payload)
    node, parent, properties = payload["node"], payload["parent"], payload["properties"]
    if node_key(tree, node) in state:
        was_moved(state, event)
        return
    if is_within(state, tree, parent, node):
        return
    if properties:
        state[properties_key(tree, node)] = dict(properties)
    put(state, tree, node, Place(payload["parent"], payload["key"]))


@TREE.applicator(MOVED)
def was_moved(state: State, event: Event) -> None:
    """The node is elsewhere, unless that would be under itself."""
    tree, payload = TREE.name_of(event), event.payload
    _check_sound(payload)
    node, parent = payload["node"], payload["parent"]
    before = place_of(state, tree, node)
    if before is None or is_within(state, tree, parent, node):
        return
    former = None
    if parent == TRASH:
        former = before.former if before.parent == TRASH else before.parent
    put(state, tree, node, Place(parent, payload["key"], former), before)


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
    node, parent = payload["node"], payload["parent"]
    if type(node) is not str or not node or "/" in node or node in {ROOT, TRASH}:
        raise ValueError(node)
    if type(parent) is not str or not parent or "/" in parent:
        raise ValueError(parent)
    try:
        check_sort_key(payload["key"])
    except DataError as error:
        raise ValueError(payload["key"]) from error


def _check_live(state: State, tree: str, parent: str) -> None:
    if parent == TRASH or not is_live(state, tree, parent):
        raise NodeNotFoundError(tree, parent)


def _put_at(state: State, tree: str, node: str, where: Where) -> list[NewEvent]:
    key, others = place_for(state, tree, node, where)
    return _moved(tree, [Keyed(node, where.parent, key), *others])


def _moved(tree: str, nodes: Sequence[Keyed]) -> list[NewEvent]:
    entity_id = TREE.id_of(tree)
    return [NewEvent(MOVED, node._asdict(), entity_id=entity_id) for node in nodes]
