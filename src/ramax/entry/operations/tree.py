"""Operations on trees."""

from typing import Any, Final

from ramax.datatypes import Node
from ramax.entry.operations.answer import (
    BOOL,
    INT,
    MAP,
    NAMES,
    TEXT,
    WROTE,
    listed,
    or_null,
    record,
)
from ramax.entry.operations.operation import LIMIT, Document, Operation, Parameter, wrote

_TREE: Final = Parameter("tree", "text", "The name of the tree, 1 to 128 bytes.")
_NODE: Final = Parameter("node", "text", "The id of the node; root is above all others.")
_PLACE: Final = (
    Parameter("first", "bool", "Before all siblings.", required=False),
    Parameter("before", "text", "The sibling that it comes before.", required=False),
    Parameter("after", "text", "The sibling that it comes after.", required=False),
)
_FOUND: Final = record({"node": TEXT, "parent": TEXT, "properties": MAP, "deleted": BOOL})


def _described(node: Node) -> Document:
    return {
        "node": node.node,
        "parent": node.parent,
        "properties": dict(node.properties),
        "deleted": node.deleted,
    }


async def _create(s: Any, tree: str, parent: str = "root", **given: Any) -> Document:
    commit = await s.tree(tree).create(parent, **given)
    return wrote(commit, node=commit.node)


async def _move(s: Any, tree: str, node: str, parent: str, **given: Any) -> Document:
    return wrote(await s.tree(tree).move(node, parent, **given))


async def _set(s: Any, tree: str, node: str, properties: Any, **options: Any) -> Document:
    return wrote(await s.tree(tree).set(node, properties, **options))


async def _rename(s: Any, tree: str, node: str, name: str, **options: Any) -> Document:
    return wrote(await s.tree(tree).rename(node, name, **options))


async def _unset(s: Any, tree: str, node: str, names: Any, **options: Any) -> Document:
    return wrote(await s.tree(tree).unset(node, names, **options))


async def _delete(s: Any, tree: str, node: str, **options: Any) -> Document:
    return {"deleted": await s.tree(tree).delete(node, **options)}


async def _restore(s: Any, tree: str, node: str, **options: Any) -> Document:
    return {"restored": await s.tree(tree).restore(node, **options)}


async def _get(s: Any, tree: str, node: str) -> Document:
    found = await s.tree(tree).get(node)
    return {"found": None if found is None else _described(found)}


async def _children(s: Any, tree: str, node: str = "root", **given: Any) -> Document:
    return {"nodes": [_described(each) for each in await s.tree(tree).children(node, **given)]}


async def _path(s: Any, tree: str, node: str) -> Document:
    return {"path": await s.tree(tree).path(node)}


async def _count(s: Any, tree: str) -> Document:
    return {"count": await s.tree(tree).count()}


_UNDER: Final = Parameter("node", "text", "The node; the root without it.", required=False)

TREE: Final = (
    Operation(
        "tree_create",
        "Make a node, by default the last child of the root.",
        (
            _TREE,
            Parameter("parent", "text", "The node that it is under.", required=False),
            Parameter("properties", "map", "What it is.", required=False),
            Parameter("node", "text", "Its id; a new one without it.", required=False),
            *_PLACE,
        ),
        _create,
        {**WROTE, "node": TEXT},
        writes=True,
    ),
    Operation(
        "tree_move",
        "Put a node with what is under it elsewhere.",
        (_TREE, _NODE, Parameter("parent", "text", "The node that it is to be under."), *_PLACE),
        _move,
        WROTE,
        writes=True,
    ),
    Operation(
        "tree_set",
        "Set properties of a node; the others stay.",
        (_TREE, _NODE, Parameter("properties", "map", "Values by name.")),
        _set,
        WROTE,
        writes=True,
    ),
    Operation(
        "tree_rename",
        "Call a node something: sets its property name.",
        (_TREE, _NODE, Parameter("name", "text", "What it is called from now on.")),
        _rename,
        WROTE,
        writes=True,
    ),
    Operation(
        "tree_unset",
        "Take properties of a node away.",
        (_TREE, _NODE, Parameter("names", "texts", "Their names.")),
        _unset,
        WROTE,
        writes=True,
    ),
    Operation(
        "tree_delete",
        "Put a node with what is under it into the trash.",
        (_TREE, _NODE),
        _delete,
        {"deleted": BOOL},
        writes=True,
    ),
    Operation(
        "tree_restore",
        "Put a deleted node back under its parent.",
        (_TREE, _NODE),
        _restore,
        {"restored": BOOL},
        writes=True,
    ),
    Operation("tree_get", "Return a node.", (_TREE, _NODE), _get, {"found": or_null(_FOUND)}),
    Operation(
        "tree_children",
        "Return the children of a node, in their order.",
        (
            _TREE,
            _UNDER,
            LIMIT,
            Parameter("after", "text", "Only those after this one.", required=False),
        ),
        _children,
        {"nodes": listed(_FOUND)},
    ),
    Operation(
        "tree_path",
        "Return the ids from the root down to a node.",
        (_TREE, _NODE),
        _path,
        {"path": NAMES},
    ),
    Operation("tree_count", "Count the nodes of a tree.", (_TREE,), _count, {"count": INT}),
)
