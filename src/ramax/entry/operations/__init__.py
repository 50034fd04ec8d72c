"""Everything that can be asked for by name, as one table: for `Database.call` and the faces."""

from collections.abc import Mapping
from typing import Any, Final

from ramax.entry.operations.branches import BRANCHES
from ramax.entry.operations.cells import CELLS
from ramax.entry.operations.json import JSON
from ramax.entry.operations.kv import KV
from ramax.entry.operations.log import LOG
from ramax.entry.operations.merges import MERGES
from ramax.entry.operations.operation import BRANCH, Document
from ramax.entry.operations.search import SEARCH
from ramax.entry.operations.spaces import SPACES
from ramax.entry.operations.text import TEXT
from ramax.entry.operations.tree import TREE
from ramax.entry.operations.vectors import VECTORS
from ramax.errors import DataError

_GROUPS: Final = (SPACES, KV, LOG, CELLS, JSON, VECTORS, TREE, TEXT, SEARCH, BRANCHES, MERGES)

OPERATIONS: Final = {each.name: each for group in _GROUPS for each in group}
"""By name, in the order of their groups."""


async def run_operation(db: Any, command: Mapping[str, Any]) -> Document:
    """Run the operation that a command names; see `Database.call`."""
    if not isinstance(command, Mapping):
        raise DataError("command", command, "give a dict with a 'type'")
    given = dict(command)
    name = given.pop("type", None)
    operation = OPERATIONS.get(name) if isinstance(name, str) else None
    if operation is None:
        raise DataError("type of a command", name, f"is one of {', '.join(OPERATIONS)}")
    if operation.on_branch and (branch := given.pop("branch", None)) is not None:
        db = db.at_branch(BRANCH.checked(branch))
    if not operation.of_space:
        return await operation.run(db, **operation.arguments(given))
    space = given.pop("space", None)
    arguments = operation.arguments(given)
    view = (await db.content_store()).at("default" if space is None else space)
    return await operation.run(view, **arguments)
