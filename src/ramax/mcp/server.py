"""The server: lists the tools of a database, runs them, and tells what went wrong."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from starlette.applications import Starlette

from ramax.core.json_form import from_json, to_json
from ramax.entry import Database
from ramax.errors import DataError, RamaxError
from ramax.mcp.sessions import Sessions
from ramax.mcp.tools import CURRENT_SPACE, LIST_SPACES, operations, tools

_ABOUT = (
    "Spaces hold keys and values, a log, cells, JSON documents and vectors, each apart from the "
    "others. A tool works on the active space unless it is given one."
)


def make_server(db: Database, *, read_only: bool = False, space: str = "default") -> Server[Any]:
    """Make a server of the tools of a database; it serves any number of sessions.

    Args:
        read_only: Only the tools that change nothing. Open the database read-only as well.
        space: The active one of a session until it sets another.
    """
    serving = _Serving(db, Sessions(space), read_only=read_only)
    return Server(
        "ramax",
        version=version("ramax"),
        instructions=_ABOUT,
        on_list_tools=serving.list_tools,
        on_call_tool=serving.call_tool,
    )


def http_app(server: Server[Any], **options: Any) -> Starlette:
    """Return the server as an ASGI application that answers at ``/mcp``.

    It knows nobody: put what asks who is there in front of it. The options are those of the
    SDK's ``streamable_http_app``; without them it answers to the host it runs on alone.
    """
    return server.streamable_http_app(**options)


class _Serving:
    """Answers requests about one database."""

    def __init__(self, db: Database, sessions: Sessions, *, read_only: bool) -> None:
        self._db, self._sessions, self._read_only = db, sessions, read_only
        self._tools = tools(read_only=read_only)
        self._takes = {tool.name: tool.input_schema["properties"] for tool in self._tools}
        self._operations = {each.name: each for each in operations(read_only=read_only)}

    async def list_tools(
        self, _context: Any, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=self._tools)

    async def call_tool(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        if params.name not in self._takes:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name!r}")
        try:
            given = from_json(params.arguments or {})
            answer = await self._run(context, params.name, given)
        except RamaxError as error:
            return _failed(error)
        document = to_json(answer)
        return CallToolResult(content=[_as_text(document)], structured_content=document)

    async def _run(self, context: Any, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        takes = self._takes[name]
        for each in given:
            if each not in takes:
                raise DataError(name, each, f"takes {', '.join(takes) or 'nothing'}")
        operation = self._operations.get(name)
        if operation is None:
            return await self._of_the_session(context, name, given)
        command = {**given, "type": name}
        if operation.of_space and command.get("space") is None:
            command["space"] = self._sessions.space(context)
        return await self._db.call(command)

    async def _of_the_session(
        self, context: Any, name: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        if name == LIST_SPACES:
            return await self._db.call({"type": "spaces_list"})
        if name == CURRENT_SPACE:
            return {"space": self._sessions.space(context)}
        self._sessions.check(context)  # before a space is made
        space = given.get("space")
        if not isinstance(space, str):
            raise DataError("space", space, "must be the name of a space")
        spaces = self._db.spaces
        found = await (spaces.get(space) if self._read_only else spaces.get_or_create(space))
        self._sessions.activate(context, found.space_name)
        return {"space": found.space_name}


def _failed(error: RamaxError) -> CallToolResult:
    document = {"error": {"code": error.code, "message": str(error), "retryable": error.retryable}}
    return CallToolResult(content=[_as_text(document)], structured_content=document, is_error=True)


def _as_text(document: Any) -> TextContent:
    return TextContent(type="text", text=json.dumps(document, ensure_ascii=False))
