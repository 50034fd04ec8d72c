"""Values to stored bytes and back: MessagePack, with extension codes for the types it lacks.

The codes are in `extensions`. `msgspec`, when it is installed, decodes; it never encodes, because
it writes tuples, sets, UUIDs and more silently as other types.
"""

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final

import msgpack

from ramax.core import erlang
from ramax.core.extensions import (
    CONTAINER_TYPES,
    CONTAINERS,
    NATIVE,
    UnstorableError,
    read_scalar,
    write_scalar,
)
from ramax.errors import CodecError
from ramax.values import Ref

try:
    from msgspec.msgpack import Decoder
except ImportError:
    Decoder = None  # type: ignore[assignment, misc]

FORMAT_MSGPACK: Final = "msgpack"
FORMAT_ETF: Final = "etf"
FORMAT_JSON: Final = "json"

MAX_DEPTH: Final = 256
"""Levels of list, dict, tuple, set and frozenset inside each other that a value may have."""

_TOO_DEEP: Final = f"nests deeper than {MAX_DEPTH} levels, or contains itself"
_STORED: Final = "stored value"


class _ThreadPacker(threading.local):
    """A packer is cheap to use but not to make, and two threads must not share its buffer."""

    def __init__(self) -> None:
        self.pack: Callable[[Any], bytes] = msgpack.Packer(strict_types=True).pack


_packer = _ThreadPacker()

# The packer also takes bytearray, memoryview, ExtType and Timestamp, which would come back as
# something else. Output without a lead byte of bin or ext cannot hold one of them; with one, which
# may as well be a letter of Greek, the types of the value tell.
_SUSPECT: Final = bytes(
    0 if byte in {*range(0xC4, 0xCA), *range(0xD4, 0xD9)} else byte for byte in range(256)
)

_SCALARS: Final = NATIVE | {int}  # an int that packed is within 64 bits


def encode(value: Any, what: str, *named: Any) -> bytes:
    """Encode a value; the same value gives the same bytes in every process.

    ``what`` names the place in errors ("payload of contact.added"); what is ``named`` besides is
    put into its braces then, and not before. A dict keeps its order, a set
    is sorted by encoded items. Raises `CodecError` for a type, also a subclass, that would not
    come back as it is, for text that is not UTF-8, and beyond `MAX_DEPTH`.
    """
    try:
        data = _packer.pack(value)
        # translate() gives the very same object back when no byte changes: the cheapest scan
        if data.translate(_SUSPECT) is not data:
            fits = _comes_back(value)
        else:
            fits = len(data) <= MAX_DEPTH or _is_shallow(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        fits = False
    return data if fits else _encode_with_extensions(value, what, named)


def encode_payload(payload: Mapping[str, Any], what: str) -> bytes:
    """Encode a mapping with str keys, of any Mapping type; otherwise as `encode`."""
    if type(payload) is not dict:
        if not isinstance(payload, Mapping):
            raise CodecError(what, payload, "must be a mapping")
        payload = dict(payload)
    for key in payload:
        if type(key) is not str:
            raise CodecError(what, key, "must have keys of type str only at its top level")
    return encode(payload, what)


def decode(data: bytes) -> Any:
    """Decode what `encode` wrote; every call gives objects that nobody else holds.

    Raises `CodecError` when the bytes are not MessagePack, are cut short or run on, or hold an
    extension code that this version does not know.
    """
    try:
        return _decode_top(data)
    except Exception:
        # The slow reader decides, so that both find the same and errors read the same: msgspec
        # for one uses the call stack where msgpack has its own.
        return _decode_carefully(data)


def decode_tagged(data: bytes, format: str) -> Any:  # noqa: A002 - the column has this name
    """Decode a row by its format tag.

    Raises `CodecError` for an unknown tag and for bytes that are not of the format
    (`LegacyFormatError` for Erlang terms).
    """
    read = _FORMATS.get(format)
    if read is None:
        raise CodecError("format", format, f"must be one of {', '.join(sorted(_FORMATS))}")
    return read(data)


def _is_shallow(value: Any) -> bool:
    """Whether lists and dicts nest no deeper than `MAX_DEPTH`; what packed is not cyclic."""
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return True
    return False


def _comes_back(value: Any, left: int = MAX_DEPTH) -> bool:
    """Whether what packed holds only types that MessagePack has, in at most ``left`` levels."""
    kind: Any = type(value)
    if kind is list:
        items = value
    elif kind is dict:
        items = [*value, *value.values()]
    else:
        return kind in _SCALARS
    for item in items:
        if type(item) not in _SCALARS and not (left > 1 and _comes_back(item, left - 1)):
            return False
    return True


def _encode_with_extensions(value: Any, what: str, named: tuple[Any, ...]) -> bytes:
    try:
        return _packer.pack(_plain(value, 0))
    except UnstorableError as error:
        raise CodecError(_place(what, named), error.value, error.rule) from None
    except UnicodeEncodeError as error:
        rule = "text with a lone surrogate is not UTF-8"
        raise CodecError(_place(what, named), error.object, rule) from None
    except RecursionError:
        raise CodecError(_place(what, named), value, _TOO_DEEP) from None
    except ValueError as error:  # an item of 4 GiB or more
        rule = f"too large for MessagePack: {error}"
        raise CodecError(_place(what, named), value, rule) from error


def _place(what: str, named: tuple[Any, ...]) -> str:
    return what.format(*named) if named else what


def _plain(value: Any, depth: int) -> Any:
    """Turn a value into what the packer writes as it is meant; ``depth`` containers are around."""
    kind = type(value)
    if kind in NATIVE or (kind is int and -(2**63) <= value < 2**64):
        return value
    if kind is not dict and kind is not list and kind not in CONTAINERS:
        return write_scalar(value)
    if depth >= MAX_DEPTH:
        raise UnstorableError(value, _TOO_DEEP)
    return _plain_dict(value, depth + 1) if kind is dict else _plain_items(value, depth + 1)


def _plain_dict(value: dict[Any, Any], depth: int) -> dict[Any, Any]:
    plain = {}
    for key, item in value.items():
        plain[_plain(key, depth)] = _plain(item, depth)
    if len(plain) != len(value):  # keys that hold NaN differ from each other, their bytes do not
        raise UnstorableError(value, "two of its keys are written alike")
    return plain


def _plain_items(value: Any, depth: int) -> Any:
    kind: Any = type(value)
    items = []
    for item in value:  # a comprehension would take a second frame of the call stack per level
        items.append(_plain(item, depth))  # noqa: PERF401
    if kind is list:
        return items
    if kind is not tuple:
        items.sort(key=_packer.pack)
    return msgpack.ExtType(CONTAINERS[kind], _packer.pack(items))


def _decode_carefully(data: bytes) -> Any:
    try:
        try:
            return _unpack(data, 0)
        except TypeError:  # an array as a map key, which ramax never writes
            return _unpack(data, 0, tuple_keys=True)
    except (CodecError, MemoryError):
        raise
    except RecursionError as error:
        raise CodecError(_STORED, data, "no room on the call stack to decode it") from error
    except Exception as error:  # whatever foreign bytes provoke in msgpack, datetime, Decimal …
        reason = str(error) or type(error).__name__
        raise CodecError(_STORED, data, f"is not a MessagePack value: {reason}") from error


def _extension_reader(
    level: int, decode_items: Callable[[Any, int], Any]
) -> Callable[[int, Any], Any]:
    """Make the reader of extensions that are inside ``level`` others: no counter to share."""

    def read(code: int, body: bytes | memoryview) -> Any:
        if code not in CONTAINER_TYPES:
            return read_scalar(code, bytes(body))
        if level >= MAX_DEPTH:
            raise CodecError(_STORED, bytes(body), _TOO_DEEP)
        items = decode_items(body, level + 1)
        if type(items) is not list:
            raise CodecError(_STORED, items, f"extension {code} must hold an array")
        return CONTAINER_TYPES[code](items)

    return read


@cache
def _unpack_options(level: int, *, tuple_keys: bool) -> dict[str, Any]:
    return {
        "strict_map_key": False,
        "timestamp": 3,
        "ext_hook": _extension_reader(level, partial(_unpack, tuple_keys=tuple_keys)),
        "object_pairs_hook": _dict_with_tuple_keys if tuple_keys else None,
    }


def _unpack(data: Any, level: int, *, tuple_keys: bool = False) -> Any:
    """Decode with msgpack alone.

    `unpackb` keeps 41 KB on the C stack, and nested in itself 30 times it crashed a thread with a
    1 MiB stack, so that inner levels take an `Unpacker`, which is on the heap.
    """
    options = _unpack_options(level, tuple_keys=tuple_keys)
    if level == 0:
        return msgpack.unpackb(data, **options)
    unpacker = msgpack.Unpacker(None, max_buffer_size=len(data), **options)
    unpacker.feed(data)
    value = unpacker.unpack()
    if unpacker.tell() != len(data):
        raise ValueError("bytes after the end of an extension's array")
    return value


def _dict_with_tuple_keys(pairs: Any) -> dict[Any, Any]:
    return {_tuple_key(key): value for key, value in pairs}


def _tuple_key(key: Any) -> Any:
    return tuple(map(_tuple_key, key)) if type(key) is list else key


@cache
def _msgspec_decode(level: int) -> Callable[[Any], Any]:
    hook = _extension_reader(level, lambda body, inner: _msgspec_decode(inner)(body))
    return Decoder(ext_hook=hook).decode


_decode_top: Callable[[Any], Any] = (
    _msgspec_decode(0)
    if Decoder is not None
    else partial(msgpack.unpackb, **_unpack_options(0, tuple_keys=False))
)


def _decode_json(data: bytes) -> Any:
    try:
        return json.loads(str(data, "utf-8"), object_hook=_json_object)
    except (ValueError, RecursionError) as error:
        raise CodecError(_STORED, data, f"is not a JSON value: {error}") from error


def _json_object(found: dict[str, Any]) -> Any:
    """The JSON era wrote a reference as `{"key": "card:c1"}`."""
    key = found.get("key")
    return Ref(key) if len(found) == 1 and type(key) is str else found


_FORMATS: Final[dict[str, Callable[[bytes], Any]]] = {
    FORMAT_MSGPACK: decode,
    FORMAT_ETF: erlang.decode,
    FORMAT_JSON: _decode_json,
}
