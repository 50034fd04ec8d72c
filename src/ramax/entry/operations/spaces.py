"""Operations on the registry of spaces."""

from typing import Any, Final

from ramax.entry.operations.answer import BOOL, INT, NAMES, TEXT
from ramax.entry.operations.operation import Document, Operation, Parameter
from ramax.errors import SpaceNotFoundError

_SPACE: Final = Parameter("space", "text", "The name of the space.")


async def _list(db: Any, prefix: str | None = None) -> Document:
    return {"spaces": sorted(space.space_name for space in await db.spaces.list_all(prefix))}


async def _create(db: Any, space: str) -> Document:
    return {"space": (await db.spaces.get_or_create(space)).space_name}


async def _clone(db: Any, source: str, space: str) -> Document:
    return {"space": (await db.spaces.clone(source, space)).space_name}


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


async def _enable_search(db: Any, space: str, fields: Any = None, mode: str = "inline") -> Document:
    await db.spaces.enable_search(space, fields=fields, mode=mode)
    return {"searched": True}


async def _index_texts(db: Any, space: str) -> Document:
    return {"indexed": await db.spaces.index_texts(space)}


async def _disable_search(db: Any, space: str) -> Document:
    await db.spaces.disable_search(space)
    return {"searched": False}


SPACES: Final = (
    Operation(
        "spaces_list",
        "List the names of the spaces, in order.",
        (Parameter("prefix", "text", "Only names that begin with it.", required=False),),
        _list,
        {"spaces": NAMES},
    ),
    Operation(
        "spaces_create",
        "Make a space, unless it is there.",
        (_SPACE,),
        _create,
        {"space": TEXT},
        writes=True,
    ),
    Operation(
        "spaces_exists", "Say whether there is a space.", (_SPACE,), _exists, {"exists": BOOL}
    ),
    Operation(
        "spaces_clone",
        "Make another space that has what one has now, and goes on by itself.",
        (Parameter("source", "text", "The space to clone."), _SPACE),
        _clone,
        {"space": TEXT},
        writes=True,
    ),
    Operation(
        "spaces_delete",
        "Delete a space; one that is not empty only by force.",
        (_SPACE, Parameter("force", "bool", "With everything in it, for good.", required=False)),
        _delete,
        {"deleted": BOOL},
        writes=True,
    ),
    Operation(
        "spaces_stats",
        "Count what a space holds.",
        (_SPACE,),
        _stats,
        {"event_count": INT, "key_count": INT, "bytes": INT},
    ),
    Operation(
        "spaces_enable_search",
        "Index the texts of a space, so that search_text finds them.",
        (
            _SPACE,
            Parameter(
                "fields",
                "map",
                "Of an application's values: lists of field names by the prefix of the key.",
                required=False,
            ),
            Parameter(
                "mode",
                "text",
                "inline: with each commit, or async: later, by spaces_index_texts.",
                required=False,
            ),
        ),
        _enable_search,
        {"searched": BOOL},
        writes=True,
    ),
    Operation(
        "spaces_index_texts",
        "Index the texts of a space that wait for it, where search is async.",
        (_SPACE,),
        _index_texts,
        {"indexed": INT},
        writes=True,
    ),
    Operation(
        "spaces_disable_search",
        "Drop the index of the texts of a space.",
        (_SPACE,),
        _disable_search,
        {"searched": BOOL},
        writes=True,
    ),
)
