import base64
import json
import random
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core import codec, erlang
from ramax.errors import LegacyFormatError
from ramax.values import Ref
from tests.core.terms import (
    NIL,
    NODE,
    a_list,
    a_map,
    a_struct,
    a_tuple,
    atom,
    binary,
    bodies,
    compressed,
    floating,
    integer,
    read,
    shape,
    term,
    u16,
    u32,
)

VECTORS = json.loads(
    (Path(__file__).parents[1] / "data/legacy/etf_vectors.json").read_text(encoding="utf-8")
)["vectors"]

STRUCTS = {
    "Elixir.PState.Ref": lambda fields: Ref(fields["key"]),
    "Elixir.Date": lambda fields: date(fields["year"], fields["month"], fields["day"]),
    "Elixir.DateTime": lambda _fields: datetime(2025, 11, 17, 21, 53, 16, 123456, tzinfo=UTC),
}


@pytest.fixture(autouse=True)
def long_integers_have_a_text():
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


def expected(typed: Any) -> Any:
    if not isinstance(typed, dict):
        return typed
    ((kind, value),) = typed.items()
    if kind == "map":
        found = {expected(key): expected(item) for key, item in value}
        return STRUCTS[found["__struct__"]](found) if "__struct__" in found else found
    return {
        "atom": lambda: value,
        "bin": lambda: value,
        "bin64": lambda: base64.b64decode(value),
        "int": lambda: int(value),
        "float": lambda: float(value),
        "list": lambda: [expected(item) for item in value],
        "tuple": lambda: tuple(expected(item) for item in value),
    }[kind]()


def written(typed: Any, atom_tag: int) -> bytes:
    """What `term_to_binary` writes for a value: OTP 25 has atoms of tag 100, OTP 26 of tag 119."""
    if typed is None or isinstance(typed, bool):
        return atom({None: "nil", True: "true", False: "false"}[typed], atom_tag)
    ((kind, value),) = typed.items()
    if kind == "int":
        return any_integer(int(value))
    if kind == "list":
        return any_list([written(item, atom_tag) for item in value], value)
    if kind == "tuple":
        items = b"".join(written(item, atom_tag) for item in value)
        head = b"\x68" + bytes([len(value)]) if len(value) < 256 else b"\x69" + u32(len(value))
        return head + items
    if kind == "map":
        return a_map(*[(written(key, atom_tag), written(item, atom_tag)) for key, item in value])
    return {
        "atom": lambda: atom(value, atom_tag),
        "bin": lambda: binary(value),
        "bin64": lambda: binary(base64.b64decode(value)),
        "float": lambda: floating(float(value)),
    }[kind]()


def any_integer(number: int) -> bytes:
    if 0 <= number < 256:
        return b"\x61" + bytes([number])
    if -(2**31) <= number < 2**31:
        return integer(number)
    size = (abs(number).bit_length() + 7) // 8
    head = b"\x6e" + bytes([size]) if size < 256 else b"\x6f" + u32(size)
    return head + bytes([number < 0]) + abs(number).to_bytes(size, "little")


def any_list(items: list[bytes], typed: list[Any]) -> bytes:
    if not items:
        return NIL
    small = [int(item["int"]) for item in typed if isinstance(item, dict) and "int" in item]
    if len(small) == len(items) < 65536 and all(0 <= number < 256 for number in small):
        return b"\x6b" + u16(len(small)) + bytes(small)
    return a_list(*items)


def names(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", VECTORS, ids=names)
def test_terms_that_erlang_wrote_are_read_value_by_value_and_type_by_type(vector):
    data = base64.b64decode(vector["etf_base64"])
    found, collisions = erlang.decode_with_report(data)
    assert shape(found) == shape(expected(vector["typed"]))
    assert collisions == ()


@pytest.mark.parametrize("vector", VECTORS, ids=names)
@pytest.mark.parametrize("atom_tag", [100, 115, 118, 119])
def test_both_atom_encodings_and_compression_change_nothing(vector, atom_tag):
    body = written(vector["typed"], atom_tag)
    if atom_tag == 100:
        assert len(term(body)) == len(base64.b64decode(vector["etf_base64"]))
    for data in (term(body), compressed(body)):
        assert shape(erlang.decode(data)) == shape(expected(vector["typed"]))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (atom("größe", 100), "größe"),
        (atom("größe", 115), "größe"),
        (atom("größe", 118), "größe"),
        (atom("株式", 119), "株式"),
        (atom("nil", 100), None),
        (atom("true", 118), True),
        (atom("false", 115), False),
        (atom("undefined"), "undefined"),
        (atom("Elixir.My.Module"), "Elixir.My.Module"),
        (binary("nil"), "nil"),
        (binary(b"\xff\xfe"), b"\xff\xfe"),
        (b"\x6b" + u16(3) + b"\x01\x02\x03", [1, 2, 3]),
        (a_list(integer(1), tail=a_list(integer(2))), [1, 2]),
        (
            a_list(integer(1), tail=integer(2)),
            {"__erlang__": "improper_list", "items": [1], "tail": 2},
        ),
        (b"\x69" + u32(1) + integer(1), (1,)),
        (b"\x6f" + u32(9) + b"\x01" + bytes(8) + b"\x01", -(2**64)),
        (b"\x6e\x00\x00", 0),
        (b"\x63" + b"1.50000000000000000000e+00".ljust(31, b"\0"), 1.5),
        (b"\x4d" + u32(2) + b"\x08" + b"ab", "ab"),
        (
            b"\x4d" + u32(2) + b"\x03" + b"a\xe0",
            {"__erlang__": "bitstring", "bits_in_last_byte": 3, "bytes": b"a\xe0"},
        ),
        (a_map((integer(1), NIL), (a_tuple(atom("a")), NIL)), {1: [], ("a",): []}),
        (a_struct("My.Thing", x=integer(1)), {"__struct__": "Elixir.My.Thing", "x": 1}),
        (a_struct("PState.Ref", key=binary("a:1")), Ref("a:1")),
        (
            a_map((binary("__struct__"), atom("Elixir.PState.Ref")), (binary("key"), binary("a"))),
            {"__struct__": "Elixir.PState.Ref", "key": "a"},
        ),
    ],
)
def test_a_term_is_read_as_documented(body, value):
    for data in (term(body), compressed(body)):
        assert shape(erlang.decode(data)) == shape(value)
        assert shape(erlang.decode(memoryview(data))) == shape(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("pid", b"\x58" + NODE + bytes(12)),
        ("pid", b"\x67" + NODE + bytes(9)),
        ("port", b"\x59" + NODE + bytes(8)),
        ("port", b"\x66" + NODE + bytes(5)),
        ("port", b"\x78" + NODE + bytes(12)),
        ("reference", b"\x65" + NODE + bytes(5)),
        ("reference", b"\x72" + u16(3) + NODE + bytes(13)),
        ("reference", b"\x5a" + u16(3) + NODE + bytes(16)),
        ("function", b"\x70" + u32(24) + bytes(20)),
        ("function", b"\x71" + atom("mod") + atom("fun") + b"\x61\x02"),
    ],
)
def test_what_lives_in_one_system_only_is_kept_whole(name, body):
    found = read(a_list(body, integer(7)))
    assert found == [{"__erlang__": name, "term": body}, 7]
    assert codec.decode(codec.encode(found, "value")) == found


@given(st.binary(max_size=60) | bodies.map(term) | bodies.map(compressed), st.data())
def test_any_bytes_are_read_or_refused(data, choose):
    broken = bytearray(data)
    for _ in range(choose.draw(st.integers(0, 3))):
        if broken:
            broken[choose.draw(st.integers(0, len(broken) - 1))] = choose.draw(st.integers(0, 255))
    for candidate in (data, bytes(broken), b"\x83" + bytes(broken)):
        try:
            erlang.decode(candidate)
        except LegacyFormatError:
            continue


def test_the_format_tag_leads_here():
    assert codec.decode_tagged(term(a_map((atom("a"), integer(1)))), codec.FORMAT_ETF) == {"a": 1}
    with pytest.raises(LegacyFormatError):
        codec.decode_tagged(b"x", codec.FORMAT_ETF)


def test_reading_is_linear_in_the_size_of_the_term():
    rng = random.Random(1)
    names = [f"key{rng.random()}" for _ in range(2000)]
    found = read(a_map(*[(atom(name), integer(1)) for name in names]))
    assert list(found) == names
