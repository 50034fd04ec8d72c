"""Serves spaces to replicas elsewhere, as an ASGI application over WebSockets and plain HTTP."""

from ramax.web.access import Access, Asking, Authorize
from ramax.web.app import make_app
from ramax.web.limits import Limits

__all__ = ["Access", "Asking", "Authorize", "Limits", "make_app"]
