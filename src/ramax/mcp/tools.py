"""The tools: one for each operation of the table, and those of the active space."""

from collections.abc import Iterator
from typing import Any, Final

from mcp_types import Tool, ToolAnnotations

from ramax.entry.operations import OPERATIONS
from ramax.entry.operations.answer import NAMES, TEXT, record
from ramax.entry.operations.operation import OPTIONS, Operation

SET_SPACE: Final = "set_space"
LIST_SPACES: Final = "list_spaces"
CURRENT_SPACE: Final = "current_space"

_SPACE: Final = {"type": "string", "description": "The space; the active one unless it is given."}
_NAMED: Final = {"type": "string", "description": "The name of the space."}
_ONE_SPACE: Final = record({"space": TEXT})
_SPACES: Final = record({"spaces": NAMES})
_NOTHING: Final = {"type": "object", "properties": {}, "additionalProperties": False}
_OF_THE_SEED: Final = {"kv_put"}
"""Takes what Strata's tool of that name takes, and no options."""


def tools(*, read_only: bool) -> list[Tool]:
    """Return every tool; with ``read_only`` those that change nothing."""
    return [*_of_the_session(), *(_tool(each) for each in operations(read_only=read_only))]


def operations(*, read_only: bool) -> Iterator[Operation]:
    """Yield the operations that are tools."""
    return (each for each in OPERATIONS.values() if not (read_only and each.writes))


def _tool(operation: Operation) -> Tool:
    schema = operation.schema
    if operation.of_space:
        schema["properties"]["space"] = _SPACE
    if operation.name in _OF_THE_SEED:
        for option in OPTIONS:
            del schema["properties"][option.name]
    return Tool(
        name=operation.name,
        description=operation.about,
        input_schema=schema,
        output_schema=operation.output_schema,
        annotations=ToolAnnotations(
            read_only_hint=not operation.writes,
            destructive_hint=operation.writes and "delete" in operation.verb,
            open_world_hint=False,
        ),
    )


def _of_the_session() -> list[Tool]:
    named = {**_NOTHING, "properties": {"space": _NAMED}, "required": ["space"]}
    return [
        _plain(SET_SPACE, "Make a space the active one of this session.", named, _ONE_SPACE),
        _plain(CURRENT_SPACE, "Return the active space of this session.", _NOTHING, _ONE_SPACE),
        _plain(LIST_SPACES, "List the names of the spaces, in order.", _NOTHING, _SPACES),
    ]


def _plain(name: str, about: str, takes: dict[str, Any], gives: dict[str, Any]) -> Tool:
    return Tool(
        name=name,
        description=about,
        input_schema=takes,
        output_schema=gives,
        annotations=ToolAnnotations(read_only_hint=name != SET_SPACE, open_world_hint=False),
    )
