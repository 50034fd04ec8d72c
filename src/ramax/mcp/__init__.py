"""Operations as tools of the Model Context Protocol, for agents; needs the extra ``ramax[mcp]``."""

from ramax.mcp.server import http_app, make_server
from ramax.mcp.serving import serve_http, serve_stdio

__all__ = ["http_app", "make_server", "serve_http", "serve_stdio"]
