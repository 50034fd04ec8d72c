"""Operations on the registry of branches."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ramax.entry.operations.answer import BOOL, TEXT, TIME, Schema, listed, or_null, record
from ramax.entry.operations.operation import Document, Operation, Parameter, moment
from ramax.errors import DataError
from ramax.values import Branch

_NAME: Final = Parameter("name", "text", "The name of the branch.")
_BRANCH: Final[dict[str, Schema]] = {"name": TEXT, "parent": or_null(TEXT), "created_at": TIME}
_LISTED: Final = {"branches": listed(record(_BRANCH))}


def branch_document(branch: Branch) -> Document:
    """Describe a branch; ``parent`` is null where it was not forked."""
    made = moment(branch.created_at)
    return {"name": branch.name, "parent": branch.parent, "created_at": made}


async def _list(db: Any) -> Document:
    return {"branches": [branch_document(branch) for branch in await db.branches.list()]}


async def _create(db: Any, name: str) -> Document:
    return branch_document(await db.branches.create(name))


async def _fork(
    db: Any,
    name: str,
    source: str = "main",
    at: Mapping[str, Any] | None = None,
    at_time: datetime | None = None,
) -> Document:
    if at is not None and at_time is not None:
        raise DataError("at_time", at_time, "give sequences or a time, not both")
    return branch_document(await db.branches.fork(source, name, at=at or at_time))


async def _rename(db: Any, name: str, new_name: str) -> Document:
    return branch_document(await db.branches.rename(name, new_name))


async def _delete(db: Any, name: str) -> Document:
    await db.branches.delete(name)
    return {"deleted": True}


BRANCHES: Final = (
    Operation("branch_list", "List the branches, main first.", (), _list, _LISTED),
    Operation(
        "branch_create", "Make a branch without spaces.", (_NAME,), _create, _BRANCH, writes=True
    ),
    Operation(
        "branch_fork",
        "Make a branch of every space of another one, at one point over all of them.",
        (
            _NAME,
            Parameter("source", "text", "The branch to fork; main by default.", required=False),
            Parameter("at", "map", "Sequences by the names of spaces.", required=False),
            Parameter("at_time", "time", "The moment, with a time zone.", required=False),
        ),
        _fork,
        _BRANCH,
        writes=True,
    ),
    Operation(
        "branch_rename",
        "Give a branch another name.",
        (_NAME, Parameter("new_name", "text", "The name that it gets.")),
        _rename,
        _BRANCH,
        writes=True,
    ),
    Operation(
        "branch_delete",
        "Delete a branch with everything that was written on it, for good.",
        (_NAME,),
        _delete,
        {"deleted": BOOL},
        writes=True,
    ),
)
