"""Bytes in Erlang's external term format to Python values: what the Elixir Ramax stored.

    Erlang, Elixir                    Python
    nil, true, false                  None, True, False
    other atoms                       str
    binary                            str if it is UTF-8, else bytes
    integer, float, list, tuple       int, float, list, tuple; a charlist is its list of ints
    map                               dict, atom keys as str keys; odd keys: see `erlang_keys`
    struct                            see `elixir`; else a dict that keeps its `__struct__`
    pid, port, reference, function,   {"__erlang__": "pid", "term": its bytes} and so on: kept
    bitstring, improper list          whole, though nothing can be done with it here

Nothing is created from data but values: no atom table, no module, no code.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

from ramax.core.elixir import struct_value
from ramax.core.erlang_keys import ATOM_TAGS, CONSTANTS, KeyCollision, hashable, keep_all
from ramax.core.erlang_reader import Reader, refuse

_NIL: Final = b"\x6a"
_FLOAT_TEXT_BYTES: Final = 31
_WHOLE_BYTE: Final = 8


def decode(data: bytes) -> Any:
    """Decode a stored term, compressed or not.

    Raises `LegacyFormatError` for bytes that are not exactly one term within the bounds.
    """
    return decode_with_report(data)[0]


def decode_with_report(data: bytes) -> tuple[Any, tuple[KeyCollision, ...]]:
    """Decode as `decode` does, and name the map keys that had to be renamed."""
    reader = Reader(bytes(data), _TAGS)
    try:
        value = reader.term()
    except RecursionError:
        refuse(data, "no room on the call stack to decode it")
    if reader.position != len(reader.data):
        refuse(data, f"goes on after the end of the term, at byte {reader.position}")
    return value, tuple(reader.collisions)


def _small_integer(reader: Reader) -> int:
    return reader.number(1)


def _integer(reader: Reader) -> int:
    return int.from_bytes(reader.take(4), "big", signed=True)


def _big(length_size: int) -> Callable[[Reader], int]:
    def read(reader: Reader) -> int:
        size = reader.number(length_size)
        negative = reader.number(1)
        magnitude = int.from_bytes(reader.take(size), "little")
        return -magnitude if negative else magnitude

    return read


def _float(reader: Reader) -> float:
    return float(struct.unpack(">d", reader.take(8))[0])


def _float_text(reader: Reader) -> float:
    text = reader.take(_FLOAT_TEXT_BYTES).partition(b"\0")[0]
    try:
        return float(text)
    except ValueError:
        refuse(reader.data, f"{text!r} is not a float")


def _atom(length_size: int, encoding: str) -> Callable[[Reader], Any]:
    def read(reader: Reader) -> Any:
        raw = reader.take(reader.number(length_size))
        known = (encoding, raw)
        if known not in reader.atoms:
            try:
                text = raw.decode(encoding)
            except UnicodeDecodeError:
                refuse(reader.data, f"the atom {raw!r} is not UTF-8")
            reader.atoms[known] = CONSTANTS.get(text, text)
        return reader.atoms[known]

    return read


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _binary(reader: Reader) -> str | bytes:
    return _text(reader.take(reader.number(4)))


def _bitstring(reader: Reader) -> Any:
    size, bits = reader.number(4), reader.number(1)
    raw = reader.take(size)
    if bits == _WHOLE_BYTE:
        return _text(raw)
    return {"__erlang__": "bitstring", "bits_in_last_byte": bits, "bytes": raw}


def _nil(_reader: Reader) -> list[Any]:
    return []


def _string(reader: Reader) -> list[int]:
    return list(reader.take(reader.count(2)))


def _list(reader: Reader) -> Any:
    items = reader.terms(reader.count(4))
    if reader.data[reader.position : reader.position + 1] == _NIL:
        reader.position += 1
        return items
    (tail,) = reader.terms(1)
    if type(tail) is list:
        return items + tail
    return {"__erlang__": "improper_list", "items": items, "tail": tail}


def _tuple(length_size: int) -> Callable[[Reader], Any]:
    def read(reader: Reader) -> Any:
        return tuple(reader.terms(reader.count(length_size)))

    return read


def _map(reader: Reader) -> Any:
    found: dict[Any, Any] = {}
    entries = []
    count = reader.count(4)
    reader.enter()
    for _ in range(count):
        start = reader.position
        key = reader.next_tag()(reader)
        if type(key) is not str:
            key = hashable(key)
        raw = reader.data[start : reader.position]
        value = found[key] = reader.next_tag()(reader)
        entries.append((key, value, raw))
    reader.depth -= 1
    if len(found) != count:
        found = keep_all(reader, entries)
    if "__struct__" in found and any(
        key == "__struct__" and raw[0] in ATOM_TAGS for key, _, raw in entries
    ):
        return struct_value(found)
    return found


def _opaque(name: str, skip: Callable[[Reader], object]) -> Callable[[Reader], Any]:
    """A term that means something only inside of the system that made it."""

    def read(reader: Reader) -> dict[str, Any]:
        start = reader.position - 1
        skip(reader)
        return {"__erlang__": name, "term": reader.data[start : reader.position]}

    return read


def _node_and(size: int) -> Callable[[Reader], object]:
    return lambda reader: (reader.terms(1), reader.take(size))


def _reference(creation_size: int) -> Callable[[Reader], object]:
    def skip(reader: Reader) -> None:
        words = reader.number(2)
        reader.terms(1)
        reader.take(creation_size + 4 * words)

    return skip


def _function(reader: Reader) -> None:
    size = reader.number(4)  # its own four bytes included
    reader.take(max(size - 4, 0))


_TAGS: Final[dict[int, Callable[[Reader], Any]]] = {
    70: _float,
    77: _bitstring,
    88: _opaque("pid", _node_and(12)),
    89: _opaque("port", _node_and(8)),
    90: _opaque("reference", _reference(4)),
    97: _small_integer,
    98: _integer,
    99: _float_text,
    100: _atom(2, "latin-1"),
    101: _opaque("reference", _node_and(5)),
    102: _opaque("port", _node_and(5)),
    103: _opaque("pid", _node_and(9)),
    104: _tuple(1),
    105: _tuple(4),
    106: _nil,
    107: _string,
    108: _list,
    109: _binary,
    110: _big(1),
    111: _big(4),
    112: _opaque("function", _function),
    113: _opaque("function", lambda reader: reader.terms(3)),
    114: _opaque("reference", _reference(1)),
    115: _atom(1, "latin-1"),
    116: _map,
    118: _atom(2, "utf-8"),
    119: _atom(1, "utf-8"),
    120: _opaque("port", _node_and(12)),
}
