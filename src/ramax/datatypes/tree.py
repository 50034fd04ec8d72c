"""``store.tree(name)``: nodes with properties under each other, in an order of their own."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Unpack
from uuid import uuid4

from ramax.core.datatypes import tree as rules
from ramax.core.datatypes import tree_places as places
from ramax.core.datatypes.tree_places import ROOT, TRASH, Place, Side, Target
from ramax.core.limits import check_name
from ramax.datatypes.arguments import bound
from ramax.errors import DataError
from ramax.runtime.partition import Partition, WriteOptions
from ramax.values import Commit, Event

_MAX_TREE_BYTES = 128
_MAX_NODE_BYTES = 64

NAME = "name"
"""The property that holds what a node is called."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it is; ``deleted``: it is in the trash itself, not only under something that is."""

    node: str
    parent: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False

    @property
    def name(self) -> str | None:
        """What `Tree.rename` called it last: its property ``name``, where that is text."""
        found = self.properties.get(NAME)
        return found if isinstance(found, str) else None


class NodeCommit(Commit):
    """A `Commit` that knows the node it made."""

    __slots__ = ()

    @property
    def node(self) -> str:
        """The id of the node."""
        return str(self.events[0].payload["node"])


class Tree:
    """One tree of a space; it is there as soon as somebody asks for it, and empty.

    Names are 1 to 128, ids of nodes 1 to 64 UTF-8 bytes without a slash. Every write takes the
    options of `ContentStore.execute`: ``expected_sequence``, ``idempotency_key``, ….
    """

    ROOT = ROOT
    """The id of the node above all others."""

    def __init__(self, part: Partition, name: str) -> None:
        self._part, self.name = part, _checked(name, "tree name", _MAX_TREE_BYTES)

    def __repr__(self) -> str:
        return f"<Tree {self.name!r}>"

    async def create(
        self,
        parent: str = ROOT,
        properties: Mapping[str, Any] | None = None,
        *,
        node: str | None = None,
        first: bool = False,
        before: str | None = None,
        after: str | None = None,
        **options: Unpack[WriteOptions],
    ) -> NodeCommit:
        """Make a node, by default the last child of the root.

        Args:
            node: Its id; a new UUID unless it is given. With an idempotency key it has to be.
            first: Before all siblings.
            before: The sibling that it comes before. after: The one that it comes after.

        Raises:
            DataError: An argument breaks a rule. CodecError: A property cannot be stored.
            NodeExistsError: There is a node of that id, be it in the trash.
            NodeNotFoundError: The parent, or the sibling, is not there.
        """
        node = uuid4().hex if node is None else _checked(node, "node", _MAX_NODE_BYTES)
        if node in {ROOT, TRASH}:
            raise DataError("node", node, "is the name of a node that is always there")
        where = _where(parent, before, after, first=first)
        params = (self.name, node, where, _properties(properties or {}))
        commit = await self._part.execute(rules.create, params, **options)
        return NodeCommit(lambda: commit.events, commit.space_sequence, commit.replayed)

    async def move(
        self,
        node: str,
        parent: str,
        *,
        first: bool = False,
        before: str | None = None,
        after: str | None = None,
        **options: Unpack[WriteOptions],
    ) -> Commit:
        """Put a node, and with it what is under it, elsewhere; also among its own siblings.

        Raises:
            NodeNotFoundError: It, the parent or the sibling is not there.
            TreeCycleError: The parent is the node itself, or under it.
        """
        where = _where(parent, before, after, first=first)
        return await self._part.execute(rules.move, (self.name, node, where), **options)

    async def set(
        self, node: str, properties: Mapping[str, Any], **options: Unpack[WriteOptions]
    ) -> Commit:
        """Set properties of a node; the others stay. One that two replicas set is the later one's.

        Raises:
            NodeNotFoundError: There is no such node. CodecError: A property cannot be stored.
        """
        return await self._change(node, _properties(properties), [], options)

    async def rename(self, node: str, name: str, **options: Unpack[WriteOptions]) -> Commit:
        """Call a node something: its property ``name``. Siblings may have the same one.

        Raises:
            DataError: The name is no text, or empty. NodeNotFoundError: There is no such node.
        """
        if not isinstance(name, str) or not name:
            raise DataError("name", name, "must be a text that is not empty")
        return await self._change(node, {NAME: name}, [], options)

    async def unset(
        self, node: str, names: Iterable[str], **options: Unpack[WriteOptions]
    ) -> Commit:
        """Take properties of a node away."""
        return await self._change(node, {}, list(names), options)

    async def _change(
        self, node: str, set_: dict[str, Any], unset: list[str], options: WriteOptions
    ) -> Commit:
        return await self._part.execute(rules.change, (self.name, node, set_, unset), **options)

    async def delete(self, node: str, **options: Unpack[WriteOptions]) -> bool:
        """Delete a node with what is under it, until it is restored; say whether it was there."""
        commit = await self._part.execute(rules.delete, (self.name, node), **options)
        return bool(commit.events)

    async def restore(self, node: str, **options: Unpack[WriteOptions]) -> bool:
        """Put a deleted node back under its parent, as the last child; say whether it was deleted.

        Raises:
            NodeNotFoundError: There is no such node, or its parent is deleted: move it elsewhere.
        """
        commit = await self._part.execute(rules.restore, (self.name, node), **options)
        return bool(commit.events)

    async def get(self, node: str) -> Node | None:
        """Return a node, deleted or not; None for one that never was."""
        keys = places.node_key(self.name, node), places.properties_key(self.name, node)
        found = await self._part.get_many(keys)
        if keys[0] not in found:
            return None
        place = Place(*found[keys[0]])
        return Node(node, place.parent, found.get(keys[1], {}), place.parent == TRASH)

    async def children(
        self, node: str = ROOT, *, limit: int | None = None, after: str | None = None
    ) -> list[Node]:
        """Return the children of a node, in their order.

        Args:
            limit: At most so many; no limit by default.
            after: Only those after this one.
        """
        bound(limit, "limit")
        prefix = places.children_prefix(self.name, node)
        above = None
        if after is not None:
            place = await self._part.get(places.node_key(self.name, after))
            if place is None or place[0] != node:
                raise DataError("after", after, f"is no child of {node!r}")
            above = f"{prefix}{place[1]}/{after}"
        found = self._part.under(prefix, limit=limit, after=above)
        ids = [key.rpartition("/")[2] async for key, _ in found]
        keys = {places.properties_key(self.name, each): each for each in ids}
        properties = await self._part.get_many(keys)
        deleted = node == TRASH
        return [Node(each, node, properties.get(key, {}), deleted) for key, each in keys.items()]

    async def trash(self, *, limit: int | None = None) -> list[Node]:
        """Return the deleted nodes, without what is under them."""
        return await self.children(TRASH, limit=limit)

    async def path(self, node: str) -> list[str]:
        """Return the ids from the root, or the trash, down to a node; empty if it never was."""
        found: list[str] = []
        at = node
        while at not in {ROOT, TRASH}:
            place = await self._part.get(places.node_key(self.name, at))
            if place is None:
                return []
            found.append(at)
            at = place[0]
        return [at, *reversed(found)]

    async def walk(self, node: str = ROOT, *, depth: int | None = None) -> AsyncIterator[Node]:
        """Yield what is under a node, each before what is under it, in order.

        Args:
            depth: How many levels; all by default.
        """
        if depth is not None and depth <= 0:
            return
        levels = [iter(await self.children(node))]
        while levels:
            child = next(levels[-1], None)
            if child is None:
                levels.pop()
                continue
            yield child
            if depth is None or len(levels) < depth:
                levels.append(iter(await self.children(child.node)))

    async def count(self) -> int:
        """Count the nodes, deleted ones included."""
        return await self._part.count(f"n/{self.name}/")

    async def history(self, *, limit: int | None = None) -> list[Event]:
        """Return the events of the tree, the newest first."""
        return await self._part.history(self.name, limit=bound(limit, "limit"))


def _where(parent: str, before: str | None, after: str | None, *, first: bool) -> Target:
    given: list[tuple[Side, str | None]] = []
    if first:
        given.append(("first", None))
    if before is not None:
        given.append(("before", before))
    if after is not None:
        given.append(("after", after))
    if len(given) > 1:
        raise DataError("place", [side for side, _ in given], "give one of them")
    side, sibling = given[0] if given else ("last", None)
    return _checked(parent, "parent", _MAX_NODE_BYTES), side, sibling


def _checked(value: Any, what: str, limit: int) -> str:
    check_name(value, what, limit)
    if "/" in value:
        raise DataError(what, value, "must not have a slash")
    return str(value)


def _properties(given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        check_name(name, "property name")
    return dict(given)
