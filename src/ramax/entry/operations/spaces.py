"""Operations on the registry of spaces."""

from typing import Any, Final

from ramax.entry.operations.operation import Document, Operation, Parameter
from ramax.errors import SpaceNotFoundError

_SPACE: Final = Parameter("space", "text", "The name of the space.")


async def _list(db: Any, prefix: str | None = None) -> Document:
    return {"spaces": sorted(space.space_name for space in await db.spaces.list_all(prefix))}


async def _create(db: Any, space: str) -> Document:
    return {"space": (await db.spaces.get_or_create(space)).space_name}


async def _exists(db: Any, space: str) -> Document:
    return {"exists": await db.spaces.exists(space)}


async def _delete(db: Any, space: str, force: bool = False) -> Document:  # noqa: FBT001, FBT002 - as it was given
    if not await db.spaces.exists(space):
        raise SpaceNotFoundError(space)
    await db.spaces.delete(space, force=force)
    return {"deleted": True}


async def _stats(db: Any, space: str) -> Document:
    found = await db.spaces.stats(space)
    return {"event_count": found.event_count, "key_count": found.key_count, "bytes": found.bytes}


SPACES: Final = (
    Operation(
        "spaces_list",
        "List the names of the spaces, in order.",
        (Parameter("prefix", "text", "Only names that begin with it.", required=False),),
        _list,
    ),
    Operation(
        "spaces_create", "Make a space, unless it is there.", (_SPACE,), _create, writes=True
    ),
    Operation("spaces_exists", "Say whether there is a space.", (_SPACE,), _exists),
    Operation(
        "spaces_delete",
        "Delete a space; one that is not empty only by force.",
        (_SPACE, Parameter("force", "bool", "With everything in it, for good.", required=False)),
        _delete,
        writes=True,
    ),
    Operation("spaces_stats", "Count what a space holds.", (_SPACE,), _stats),
)
