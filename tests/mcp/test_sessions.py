"""Which session a request belongs to."""

from types import SimpleNamespace

import pytest

from ramax import MisuseError
from ramax.mcp.sessions import Sessions


def request(session=None, version="2025-11-25"):
    headers = {} if session is None else {"mcp-session-id": session}
    return SimpleNamespace(request=SimpleNamespace(headers=headers), protocol_version=version)


PIPE = SimpleNamespace(request=None, protocol_version="2026-07-28")


def test_sessions_do_not_see_each_others_space():
    sessions = Sessions("first")
    sessions.activate(request("a"), "of-a")
    sessions.activate(PIPE, "of-the-pipe")
    assert sessions.space(request("a")) == "of-a"
    assert sessions.space(request("b")) == "first"
    assert sessions.space(PIPE) == "of-the-pipe"


@pytest.mark.parametrize("context", [request(), request("a", "2026-07-28")])
def test_without_a_session_nothing_is_kept(context):
    sessions = Sessions()
    with pytest.raises(MisuseError, match="no session"):
        sessions.activate(context, "x")
    assert sessions.space(context) == "default"
