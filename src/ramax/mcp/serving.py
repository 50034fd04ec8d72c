"""Serving: over the pipes of a process, or over HTTP on this host alone."""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from ramax.mcp.server import http_app

HOST = "127.0.0.1"


async def serve_stdio(server: Server[Any]) -> None:
    """Serve the process that began this one, over stdin and stdout, until it closes them."""
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def serve_http(server: Server[Any], port: int, told: Callable[[str], object]) -> None:
    """Serve clients on this host by streamable HTTP, until the process is interrupted.

    Args:
        port: 0 takes a free one.
        told: Called with the URL before the first request is answered.
    """
    config = uvicorn.Config(http_app(server), log_level="warning")
    with socket.create_server((HOST, port)) as listening:
        told(f"http://{HOST}:{listening.getsockname()[1]}/mcp")
        await uvicorn.Server(config).serve([listening])
