"""The frames of the protocol of replicas: what is said, as MessagePack, whatever carries it.

A frame is ``[kind, body]``; the body maps names to values. A side that reads one checks the kinds
and the names it knows and leaves what else is there alone, so that a later version may say more.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from ramax.core.codec import decode, encode
from ramax.core.sync.record import EventRecord
from ramax.core.sync.wire import MAX_RECORD_BYTES, size_of
from ramax.errors import DataError

PROTOCOL: Final = "ramax.sync.1"
MAX_FRAME_BYTES: Final = MAX_RECORD_BYTES + (2 << 20)
"""One record of the largest payload and metadata, or a page, and what is around it."""


class Frame(NamedTuple):
    """One thing said."""

    kind: str
    body: dict[str, Any]


def pack(kind: str, /, **body: Any) -> bytes:
    """Return a frame as bytes."""
    return encode([kind, body], "frame")


def unpack(data: bytes) -> Frame:
    """Read a frame.

    Raises:
        DataError: It is no frame.
        CodecError: It is not even MessagePack.
    """
    return _frame(decode(data))


def pack_request(hello: Mapping[str, Any], kind: str, body: Mapping[str, Any]) -> bytes:
    """Return a request together with the greeting, for what carries no conversation."""
    return encode([["hello", dict(hello)], [kind, dict(body)]], "request")


def unpack_request(data: bytes, kind: str) -> tuple[Frame, Frame]:
    """Read what `pack_request` wrote: the greeting and the request, which must be of the kind.

    Raises:
        DataError: It is not both.
        CodecError: It is not even MessagePack.
    """
    match decode(data):
        case [hello, asked]:
            request = _frame(asked)
            if request.kind != kind:
                raise DataError("request", request.kind, f"was sent to {kind!r}")
            return _frame(hello), request
        case _:
            raise DataError("request", data[:32], "must be [greeting, frame]")


def framed(frame: bytes) -> bytes:
    """Put the length before a frame, for a stream that has no borders of its own."""
    return len(frame).to_bytes(4) + frame


def _frame(form: Any) -> Frame:
    match form:
        case [str(kind), dict(body)]:
            return Frame(kind, body)
        case _:
            raise DataError("frame", form, "must be [kind, {name: value}]")


def taken(body: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """Return what a body says under a name, of one of the given types exactly.

    An absent name says None, for where ``NoneType`` is among the kinds.

    Raises:
        DataError: It is of another type.
    """
    value = body.get(name)
    if type(value) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise DataError(name, type(value).__name__, f"must be {wanted} in this frame")
    return value


def page_of(records: Sequence[EventRecord], max_bytes: int) -> list[list[Any]]:
    """Return the first records as frames hold them: about ``max_bytes``, but at least one."""
    count = sum(size <= max_bytes for size in accumulate(map(size_of, records)))
    return [list(record) for record in records[: max(count, 1)]]
