"""Shared by the tests of the tools: clients over HTTP on a free port of this host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client

from ramax.mcp import make_server, serve_http


@asynccontextmanager
async def served(db: Any, **options: Any) -> AsyncIterator[str]:
    """Serve a database over HTTP; give the URL."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve_http(make_server(db, **options), 0, url.set_result))
    try:
        yield await url
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ask(client: Client, tool: str, /, **given: Any) -> Any:
    """Call a tool; give what it answers, or fail with what it says."""
    found = await client.call_tool(tool, given)
    assert not found.is_error, found.content
    return found.structured_content


async def refused(client: Client, tool: str, /, **given: Any) -> Any:
    """Call a tool that says no; give its error."""
    found = await client.call_tool(tool, given)
    assert found.is_error
    return found.structured_content["error"]
