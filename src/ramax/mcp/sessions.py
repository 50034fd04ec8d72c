"""Which space is the active one of each session."""

from typing import Any, Final

from cachetools import LRUCache
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ramax.errors import MisuseError

_MOST: Final = 10_000
_SESSION: Final = "mcp-session-id"
_ONLY: Final = "the process at the other end of the pipe"


class Sessions:
    """The active space of each session, `default` until it sets another one.

    Over a pipe there is one session. Over HTTP the session's id tells them apart; clients that
    speak a version of the protocol without sessions have none, and name the space in each call.
    """

    def __init__(self, space: str = "default") -> None:
        self._first = space
        self._active: LRUCache[str, str] = LRUCache(_MOST)

    def space(self, context: Any) -> str:
        """Return the active space of the session that a request belongs to."""
        session = _session_of(context)
        return self._first if session is None else self._active.get(session, self._first)

    def check(self, context: Any) -> str:
        """Return what identifies the session of a request.

        Raises:
            MisuseError: There is no session.
        """
        session = _session_of(context)
        if session is None:
            raise MisuseError("this connection has no session: give 'space' with each call")
        return session

    def activate(self, context: Any, space: str) -> None:
        """Make a space the active one of the session of a request.

        Raises:
            MisuseError: There is no session.
        """
        self._active[self.check(context)] = space


def _session_of(context: Any) -> str | None:
    if context.request is None:
        return _ONLY
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return None
    found: str | None = context.request.headers.get(_SESSION)
    return found
