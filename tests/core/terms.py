"""Write Erlang terms, piece by piece, and compare what is read from them."""

import struct
import zlib
from typing import Any

from hypothesis import strategies as st

from ramax.core import erlang


def u16(number: int) -> bytes:
    return struct.pack(">H", number)


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def atom(name: str, tag: int = 119) -> bytes:
    raw = name.encode("latin-1" if tag in {100, 115} else "utf-8")
    return bytes([tag]) + (u16(len(raw)) if tag in {100, 118} else bytes([len(raw)])) + raw


def binary(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return b"\x6d" + u32(len(raw)) + raw


def integer(number: int) -> bytes:
    return b"\x62" + struct.pack(">i", number)


def floating(number: float) -> bytes:
    return b"\x46" + struct.pack(">d", number)


NIL = b"\x6a"


NODE = atom("node@host")


def a_list(*items: bytes, tail: bytes = NIL) -> bytes:
    return b"\x6c" + u32(len(items)) + b"".join(items) + tail


def a_tuple(*items: bytes) -> bytes:
    return b"\x68" + bytes([len(items)]) + b"".join(items)


def a_map(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"\x74" + u32(len(pairs)) + b"".join(key + value for key, value in pairs)


def a_struct(name: str, **fields: bytes) -> bytes:
    return a_map(
        (atom("__struct__"), atom(f"Elixir.{name}")),
        *((atom(key), value) for key, value in fields.items()),
    )


def term(body: bytes) -> bytes:
    return b"\x83" + body


def compressed(body: bytes, declared: int | None = None) -> bytes:
    size = len(body) if declared is None else declared
    return b"\x83\x50" + u32(size) + zlib.compress(body)


def read(body: bytes) -> Any:
    return erlang.decode(term(body))


def shape(value: Any) -> Any:
    """The value with every type spelled out, so that == compares types too."""
    if isinstance(value, dict):
        return {(type(key), key): shape(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [shape(item) for item in value]
    return type(value), repr(value)


bodies = st.recursive(
    st.sampled_from([NIL, NODE, atom("nil"), atom("true"), atom("__struct__"), b"\x61\x01"])
    | st.floats().map(floating)
    | st.integers(-(2**31), 2**31 - 1).map(integer)
    | st.binary(max_size=4).map(binary)
    | st.text(max_size=4).map(atom),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: a_list(*items))
        | st.lists(inner, max_size=3).map(lambda items: a_tuple(*items))
        | st.tuples(inner, inner).map(lambda pair: a_list(pair[0], tail=pair[1]))
        | st.lists(st.tuples(inner, inner), max_size=4).map(lambda pairs: a_map(*pairs))
        | inner.map(lambda found: a_struct("MapSet", map=found, version=integer(2)))
        | inner.map(lambda found: a_struct("PState.Ref", key=found))
        | inner.map(lambda found: a_struct("Range", first=found, last=found, step=found))
        | inner.map(lambda found: a_struct("Decimal", sign=b"\x61\x01", coef=found, exp=found))
    ),
    max_leaves=12,
)
