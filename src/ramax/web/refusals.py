"""Why a client is refused, as the codes of the protocol and what HTTP and WebSockets call them."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ramax.core.sync.frames import pack
from ramax.errors import (
    CodecError,
    DataError,
    ForkError,
    GapError,
    LayerAuthError,
    ProtocolError,
    RamaxError,
)


class _Answer(NamedTuple):
    status: int
    close: int
    """The code that a WebSocket is closed with; 0: the conversation goes on."""


_ANSWERS: Final[Mapping[str, _Answer]] = {
    "bad_frame": _Answer(400, 4400),
    "protocol": _Answer(400, 4400),
    "unauthorized": _Answer(401, 4401),
    "forbidden": _Answer(403, 4403),
    "reset": _Answer(409, 4410),
    "wrong_space": _Answer(409, 4409),
    "too_large": _Answer(413, 4413),
    "unknown": _Answer(404, 4404),
    "timeout": _Answer(408, 4408),
    "gap": _Answer(409, 0),
    "fork": _Answer(409, 0),
    "failed": _Answer(503, 0),
}


class RefusedError(Exception):
    """What a client asks for is refused, with a code of the protocol."""

    def __init__(self, code: str, reason: str, **said: Any) -> None:
        self.code, self.reason, self.said = code, reason, said
        super().__init__(f"{code}: {reason}")

    @property
    def status(self) -> int:
        """What HTTP calls it."""
        return _ANSWERS[self.code].status

    @property
    def close(self) -> int:
        """What a WebSocket is closed with, or 0 where the conversation goes on."""
        return _ANSWERS[self.code].close

    def frame(self) -> bytes:
        """Return it as the client is told it."""
        ends = self.close != 0
        return pack("refused", code=self.code, reason=self.reason, ends=ends, **self.said)


def refusal_of(error: RamaxError) -> RefusedError:
    """Say a failure of the layer in the protocol's words; its text stays here if it is internal."""
    match error:
        case GapError():
            return RefusedError("gap", str(error), wanted=dict(error.wanted))
        case ForkError():
            at = {"origin": error.origin, "sequence": error.sequence}
            return RefusedError("fork", str(error), **at)
        case ProtocolError():
            return RefusedError("bad_frame", error.reason)
        case LayerAuthError():
            return RefusedError("forbidden", error.reason)
        case DataError() | CodecError():
            return RefusedError("bad_frame", str(error))
        case _:
            return RefusedError("failed", f"{error.code}", retryable=error.retryable)
