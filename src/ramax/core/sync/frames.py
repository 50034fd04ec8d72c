"""The frames of the protocol of replicas: what is said, as MessagePack, whatever carries it.

A frame is ``[kind, body]``; the body maps names to values. A side that reads one checks the kinds
and the names it knows and leaves what else is there alone, so that a later version may say more.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from msgpack import Unpacker

from ramax.core.codec import decode, encode
from ramax.core.sync.record import EventRecord
from ramax.core.sync.wire import MAX_RECORD_BYTES, size_of
from ramax.errors import DataError

PROTOCOL: Final = "ramax.sync.1"
MAX_FRAME_BYTES: Final = MAX_RECORD_BYTES + (2 << 20)
"""One record of the largest payload and metadata, or a page, and what is around it."""


_PAIR: Final = b"\x92"
"""Begins an array of two."""


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
    match decode(data):
        case [str(kind), dict(body)]:
            return Frame(kind, body)
        case form:
            raise DataError("frame", form, "must be [kind, {name: value}]")


def pack_request(hello: Mapping[str, Any], kind: str, body: Mapping[str, Any]) -> bytes:
    """Return a request together with the greeting, for what carries no conversation."""
    return encode([["hello", dict(hello)], [kind, dict(body)]], "request")


def unpack_greeting(data: bytes, most: int) -> tuple[Frame, bytes]:
    """Read the greeting of what `pack_request` wrote, and nothing of the request, which is left.

    Whoever has not been let in yet must not have a whole request decoded: as objects it may take
    seventy times its bytes.

    Args:
        most: Bytes that the greeting may have.

    Raises:
        DataError: It is none.
        CodecError: It is not even MessagePack.
    """
    unpacker = Unpacker()
    unpacker.feed(data[1 : 1 + most])
    try:
        unpacker.skip()
    except Exception as error:  # whatever foreign bytes provoke in msgpack
        rule = f"must begin with a greeting of at most {most} bytes"
        raise DataError("request", data[:32], rule) from error
    end = 1 + unpacker.tell()
    if data[:1] != _PAIR:
        raise DataError("request", data[:32], "must be [greeting, frame]")
    return unpack(data[1:end]), data[end:]


def unpack_request(data: bytes, kind: str) -> Frame:
    """Read what `unpack_greeting` left: the request, which must be of the kind.

    Raises:
        DataError: It is none.
        CodecError: It is not even MessagePack.
    """
    request = unpack(data)
    if request.kind != kind:
        raise DataError("request", request.kind, f"was sent to {kind!r}")
    return request


def framed(frame: bytes) -> bytes:
    """Put the length before a frame, for a stream that has no borders of its own."""
    return len(frame).to_bytes(4) + frame


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
