"""Who may do what with which space: the answer is the application's, the form of it is here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

_NOBODY: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Asking:
    """What a client says about itself, none of which is proven."""

    space: str
    token: str | None
    origin: bytes | None
    """The origin that it says it writes under; None: it only reads."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a client may do, beside reading."""

    origins: frozenset[bytes] | None = _NOBODY
    """Whose events it may push: its own, as the application knows them. None: everybody's, which
    makes it a relay that is believed whatever it says."""

    commands: bool = False
    """Whether it may have commands run: it follows the space, and this server is its authority."""

    secrets: bool = True
    """Whether it gets the sealed secrets, which it cannot open without the key, and gives its own
    if it may push anything at all."""


Authorize = Callable[[Asking], Awaitable[Access | None]]
"""Looks a token up; None lets the client nowhere. It has to bind origins to who holds the token:
an origin that anybody may claim is one that anybody may write under."""


def bearer_token(connection: HTTPConnection) -> str | None:
    """Return the token of the header ``Authorization: Bearer …``."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
