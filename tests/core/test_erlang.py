import base64
import json
import random
import struct
import sys
import tracemalloc
import zlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core import codec, erlang, erlang_reader
from ramax.core.erlang_keys import KeyCollision
from ramax.errors import LegacyFormatError
from ramax.values import Ref

VECTORS = json.loads(
    (Path(__file__).parents[1] / "data/legacy/etf_vectors.json").read_text(encoding="utf-8")
)["vectors"]

STRUCTS = {
    "Elixir.PState.Ref": lambda fields: Ref(fields["key"]),
    "Elixir.Date": lambda fields: date(fields["year"], fields["month"], fields["day"]),
    "Elixir.DateTime": lambda _fields: datetime(2025, 11, 17, 21, 53, 16, 123456, tzinfo=UTC),
}


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


def shape(value: Any) -> Any:
    """The value with every type spelled out, so that == compares types too."""
    if isinstance(value, dict):
        return {(type(key), key): shape(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [shape(item) for item in value]
    return type(value), repr(value)


@pytest.fixture(autouse=True)
def long_integers_have_a_text():
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


# --- a writer of terms, for what the vectors lack ------------------------------------------------


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


NODE = atom("node@host")


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


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("pairs", "value", "renamed"),
    [
        ([(atom("a"), 1), (binary("a"), 2)], {"a": 2, ":a": 1}, {":a"}),
        (
            [(atom("a"), 1), (binary("a"), 2), (binary(":a"), 3)],
            {"a": 2, ":a": 3, "::a": 1},
            {"::a"},
        ),
        ([(atom("true"), 1), (integer(1), 2)], {1: 2, ":true": 1}, {":true"}),
        ([(atom("false"), 1), (integer(0), 2)], {0: 2, ":false": 1}, {":false"}),
        ([(atom("nil"), 1), (binary("nil"), 2)], {None: 1, "nil": 2}, set()),
    ],
)
def test_keys_that_python_sees_as_equal_are_all_kept_and_reported(order, pairs, value, renamed):
    body = a_map(*[(key, integer(number)) for key, number in pairs[::order]])
    found, collisions = erlang.decode_with_report(term(body))
    assert shape(found) == shape(value)
    assert {collision.renamed for collision in collisions} == renamed


def test_numbers_that_python_sees_as_equal_are_all_kept():
    body = a_map(
        (integer(1), integer(10)), (floating(1.0), integer(20)), (atom("true"), integer(30))
    )
    found, collisions = erlang.decode_with_report(term(body))
    assert shape(found) == shape({1: 10, "1.0": 20, ":true": 30})
    assert collisions == (KeyCollision(1.0, "1.0"), KeyCollision(True, ":true"))


def test_keys_too_long_to_be_shown_are_kept_when_they_are_equal():
    huge = b"\x6f" + u32(3000) + b"\x00" + b"\x01" * 3000
    sys.set_int_max_str_digits(4300)
    body = a_map(
        *[(a_tuple(huge, clash), NIL) for clash in (integer(1), floating(1.0), atom("true"))]
    )
    found, collisions = erlang.decode_with_report(term(body))
    assert len(found) == 3
    assert {type(key) for key in found} == {tuple, str}
    assert len(collisions) == 2


def test_collisions_deep_inside_are_reported_too():
    clash = a_map((atom("a"), NIL), (binary("a"), NIL))
    body = a_list(a_tuple(a_map((clash, clash))))
    _, collisions = erlang.decode_with_report(term(body))
    assert len(collisions) == 2


def test_members_of_a_set_that_python_sees_as_equal_are_all_kept():
    inner = a_map((atom("a"), NIL), (binary("a"), NIL), (a_list(integer(1)), NIL))
    found, collisions = erlang.decode_with_report(
        term(a_struct("MapSet", map=inner, version=integer(2)))
    )
    assert found == {"a", ":a", (1,)}
    assert [collision.renamed for collision in collisions] == [":a"]


@pytest.mark.parametrize(
    ("key", "frozen"),
    [
        (a_list(integer(1), a_list(integer(2))), (1, (2,))),
        (NIL, ()),
        (a_map((atom("a"), a_list(integer(1)))), frozenset({("a", (1,))})),
        (a_tuple(a_map()), (frozenset(),)),
        (
            a_struct("MapSet", map=a_map((integer(1), NIL)), version=integer(2)),
            frozenset({1}),
        ),
        (a_struct("My.Key", x=NIL), frozenset({("__struct__", "Elixir.My.Key"), ("x", ())})),
        (a_list(integer(1), tail=a_map()), None),
    ],
)
def test_a_key_that_python_cannot_hash_is_frozen(key, frozen):
    (found,) = read(a_map((key, integer(1)))).items()
    assert found[1] == 1
    if frozen is not None:
        assert shape(found[0]) == shape(frozen)
    assert codec.decode(codec.encode({found[0]: 1}, "value")) == {found[0]: 1}


def test_the_same_key_twice_is_no_map_of_erlang():
    for key in (atom("a"), binary("a"), integer(1), a_list(integer(1)), a_map()):
        with pytest.raises(LegacyFormatError, match="twice"):
            read(a_map((key, integer(1)), (key, integer(2))))


def nested(wrap, levels: int) -> bytes:
    body = b"\x61\x01"
    for _ in range(levels):
        body = wrap(body)
    return body


@pytest.mark.parametrize(
    "wrap",
    [
        a_list,
        a_tuple,
        lambda inner: a_map((atom("k"), inner)),
        lambda inner: a_map((inner, NIL)),
        lambda inner: a_list(NIL, tail=inner),
        lambda inner: a_struct("MapSet", map=a_map((inner, NIL)), version=integer(2)),
        lambda inner: b"\x58" + inner + bytes(12),
    ],
    ids=["list", "tuple", "value", "key", "tail", "MapSet", "node"],
)
def test_nesting_is_bounded(wrap):
    per_level = 2 if wrap(b"").count(b"MapSet") else 1
    read(nested(wrap, erlang_reader.MAX_DEPTH // per_level))
    for levels in (erlang_reader.MAX_DEPTH // per_level + 1, 5000):
        with pytest.raises(LegacyFormatError, match="nests deeper than 256 levels"):
            read(nested(wrap, levels))


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "must begin with byte 131"),
        (b"\x84a", "must begin with byte 131"),
        (b"\x83", "cut short"),
        (b"\x83\x61", "cut short"),
        (b"\x83\x61\x01\x00", "goes on after the end"),
        (b"\x83\x00", "tag 0 at byte 0 is not known"),
        (b"\x83\x83\x61\x01", "tag 131"),
        (b"\x83\x50\x00", "cut short in the header"),
        (b"\x83\x50\x00\x00\x00\x02garbage", "does not inflate"),
        (b"\x83\x50\xff\xff\xff\xffx", "the limit is 67,108,864"),
        (compressed(integer(1), declared=4), "to exactly the 4 bytes"),
        (compressed(integer(1), declared=6), "to exactly the 6 bytes"),
        (compressed(integer(1)) + b"x", "to exactly"),
        (compressed(integer(1))[:-5], "to exactly"),
        (compressed(b"\x00" * 10_000_000, declared=5), "to exactly"),
        (term(b"\x6c" + u32(2**32 - 1)), "more than it has bytes"),
        (term(b"\x74" + u32(2**32 - 1) + bytes(9)), "more than it has bytes"),
        (term(b"\x69" + u32(2**32 - 1)), "more than it has bytes"),
        (term(b"\x6d" + u32(2**32 - 1)), "cut short"),
        (term(b"\x6f" + u32(2**32 - 1)), "cut short"),
        (term(b"\x6b\xff\xffa"), "more than it has bytes"),
        (term(b"\x5a\xff\xff" + NODE), "cut short"),
        (term(b"\x70" + u32(0)[:3]), "cut short"),
        (term(b"\x77\x01\xff"), "is not UTF-8"),
        (term(b"\x63" + b"one".ljust(31, b"\0")), "is not a float"),
        (compressed(a_list(*[NIL] * (2**20 + 9_000))), "more items than any value of its size"),
    ],
)
def test_anything_else_is_refused_with_the_reason(data, rule):
    with pytest.raises(LegacyFormatError, match=rule):
        erlang.decode(data)


def test_no_more_is_inflated_than_was_declared():
    bomb = compressed(bytes(30_000_000), declared=5)
    tracemalloc.start()
    try:
        with pytest.raises(LegacyFormatError, match="to exactly"):
            erlang.decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_value_that_is_not_compressed_may_hold_any_number_of_items():
    items = 2**20 + 9_000
    assert len(read(a_list(*[b"\x61\x01"] * items))) == items


def test_every_cut_of_a_term_is_refused():
    body = a_map(
        (atom("a"), a_list(a_tuple(floating(1.5), binary("x")), NIL, tail=integer(1))),
        (a_struct("PState.Ref", key=binary("k")), b"\x58" + NODE + bytes(12)),
    )
    for data in (term(body), compressed(body)):
        erlang.decode(data)
        for size in range(len(data)):
            with pytest.raises(LegacyFormatError):
                erlang.decode(data[:size])


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


@given(bodies)
def test_no_entry_of_a_map_is_ever_lost(body):
    entries = a_map((binary("first"), body), (atom("first"), body), (integer(1), NIL))
    try:
        found = read(entries)
    except LegacyFormatError:  # a random map with a key twice
        return
    assert len(found) == 3


def test_the_format_tag_leads_here():
    assert codec.decode_tagged(term(a_map((atom("a"), integer(1)))), codec.FORMAT_ETF) == {"a": 1}
    with pytest.raises(LegacyFormatError):
        codec.decode_tagged(b"x", codec.FORMAT_ETF)


def test_reading_is_linear_in_the_size_of_the_term():
    rng = random.Random(1)
    names = [f"key{rng.random()}" for _ in range(2000)]
    found = read(a_map(*[(atom(name), integer(1)) for name in names]))
    assert list(found) == names
