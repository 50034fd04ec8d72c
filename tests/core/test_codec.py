import gc
import importlib.util
import math
import struct
import subprocess
import sys
import threading
from collections import Counter, OrderedDict, UserDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core import codec
from ramax.errors import CodecError
from ramax.values import Ref


def load_without_msgspec() -> ModuleType:
    path = codec.__file__
    assert path is not None
    spec = importlib.util.spec_from_file_location("ramax_codec_without_msgspec", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    hidden = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("msgspec")
    }
    sys.modules["msgspec"] = None  # type: ignore[assignment]
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["msgspec"]
        sys.modules.update(hidden)
    return module


without_msgspec = load_without_msgspec()

both_readers = pytest.mark.parametrize(
    "reader", [codec, without_msgspec], ids=["with msgspec", "without msgspec"]
)


def same(left: Any, right: Any) -> Any:
    """Equal and of the same types all the way down; NaN equals NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack(">d", left) == struct.pack(">d", right) or (
            math.isnan(left) and math.isnan(right)
        )
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(a, b) and same(left[a], right[b]) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, (set, frozenset)):
        return left == right and {type(item) for item in left} == {type(item) for item in right}
    if isinstance(left, (datetime, time)):
        return left == right and left.utcoffset() == right.utcoffset()
    return bool(left == right)


def nested(depth: int, wrap=lambda inner: [inner], core: Any = 1) -> Any:
    value = core
    for _ in range(depth):
        value = wrap(value)
    return value


VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    2**64,
    -(2**63) - 1,
    10**400,
    -(10**400),
    0.0,
    -0.0,
    1.5,
    math.inf,
    -math.inf,
    math.nan,
    5e-324,
    "",
    "text",
    "Zoë ł Ж א 😀",
    "nul \0 inside",
    "x" * 70_000,
    b"",
    b"\x00\xff",
    b"x" * 70_000,
    [],
    {},
    (),
    set(),
    frozenset(),
    [1, [2, (3, {4})]],
    (1, "a", None, (True,)),
    {1, "a", None, 2.5, (1, 2), b"b"},
    frozenset({frozenset({1}), Ref("a:1")}),
    {"a": 1, "b": {"c": [1, 2]}},
    {1: "int", True + 1: "two", b"b": 0, None: 0, 1.5: 0, (1, 2): 0, date(2024, 1, 2): 0},
    {True: "bool", 0: "int", Ref("k"): 1, UUID(int=7): 2, Decimal("1.50"): 3},
    {frozenset({1}): [1], datetime(2024, 1, 1, tzinfo=UTC): 2, 2**70: 3},
    datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 5, 6, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
    datetime(2024, 5, 6, tzinfo=timezone(timedelta(hours=-3, seconds=-1, microseconds=-7))),
    date.min,
    date.max,
    time(),
    time(23, 59, 59, 999999),
    time(1, 2, tzinfo=UTC),
    time(1, 2, tzinfo=timezone(timedelta(hours=-3))),
    timedelta(),
    timedelta.min,
    timedelta.max,
    timedelta(microseconds=-1),
    Decimal(0),
    Decimal("-0.00"),
    Decimal("1.50"),
    Decimal("1E+40"),
    Decimal("NaN"),
    Decimal("sNaN123"),
    Decimal("-Infinity"),
    Decimal("123456789012345678901234567890.123456789012345678901234567890"),
    UUID(int=0),
    uuid4(),
    Ref("card:c1"),
    Ref("ключ"),
    range(0),
    range(10, -(2**70), -3),
]


@both_readers
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_equal_and_of_the_same_type(reader, value):
    for wrapped in (value, [value], {"k": value}, (value,)):
        data = reader.encode(wrapped, "value")
        assert data == codec.encode(wrapped, "value")
        assert same(reader.decode(data), wrapped)


keys = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.builds(Ref, st.text()),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
scalars = (
    keys
    | st.floats()
    | st.decimals()
    | st.times()
    | st.timedeltas()
    | st.datetimes(timezones=st.just(UTC))
    | st.datetimes(timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
    ),
    max_leaves=15,
)


@given(values)
def test_any_value_comes_back_with_and_without_msgspec(value):
    data = codec.encode(value, "value")
    assert without_msgspec.encode(value, "value") == data
    assert same(codec.decode(data), value)
    assert same(without_msgspec.decode(data), value)


def outcome(reader: Any, data: bytes) -> tuple[str, Any]:
    try:
        return "value", reader.decode(data)
    except reader.CodecError as error:
        return "error", error.rule


pieces = st.lists(
    st.sampled_from([b"\x81", b"\x92", b"\x93", b"\x82", b"\xc7\x03", b"\xc7\x02\x02", b"\xd4\x02"])
    | st.integers(0, 255).map(lambda byte: bytes([byte]))
    | st.binary(max_size=6)
    | st.builds(lambda value: codec.encode(value, "v"), scalars),
    max_size=8,
).map(b"".join)


@given(st.binary(max_size=40) | pieces)
def test_any_bytes_give_the_same_outcome_with_and_without_msgspec(data):
    left, right = outcome(codec, data), outcome(without_msgspec, data)
    assert left[0] == right[0]
    if left[0] == "value":
        if b"\xff" in data:  # the standard timestamp: see the test of its nanoseconds
            return
        assert same(left[1], right[1])
    else:
        assert left[1] == right[1]


@both_readers
@given(st.data())
def test_every_cut_of_a_stored_value_is_refused(reader, data):
    stored = codec.encode({"a": (1, {2}), "b": datetime(2024, 1, 1, tzinfo=UTC)}, "value")
    cut = data.draw(st.integers(0, len(stored) - 1))
    with pytest.raises(CodecError):
        reader.decode(stored[:cut])


@both_readers
@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "is not a MessagePack value"),
        (b"\xc1", "is not a MessagePack value"),
        (b"\x01\x02", "is not a MessagePack value"),
        (b"\xa1\xff", "is not a MessagePack value"),
        (b"\xa3\xed\xa0\x80", "is not a MessagePack value"),
        (b"\xdd\xff\xff\xff\xff", "is not a MessagePack value"),
        (b"\xdf\xff\xff\xff\xff", "is not a MessagePack value"),
        (b"\xc6\xff\xff\xff\xff", "is not a MessagePack value"),
        (b"\x81\x80\x01", "is not a MessagePack value"),
        (b"\x91" * 5000 + b"\x01", "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(77, b"")), "is not known to this version"),
        (
            msgpack.packb([msgpack.ExtType(2, msgpack.packb([msgpack.ExtType(0, b"x")]))]),
            "is not known",
        ),
        (msgpack.packb(msgpack.ExtType(2, b"\x01")), "must hold an array"),
        (msgpack.packb(msgpack.ExtType(2, b"\x91\x01\x01")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(2, b"")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(3, b"\x91\x90")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(5, b"soon")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(6, b"\xff")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(8, b"\x7f" * 30)), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(9, b"ten")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.ExtType(10, b"short")), "is not a MessagePack value"),
        (msgpack.packb(msgpack.Timestamp(2**60, 0)), "is not a MessagePack value"),
    ],
)
def test_bytes_that_are_no_stored_value_are_refused_with_the_rule(reader, data, rule):
    with pytest.raises(CodecError, match=rule):
        reader.decode(data)


@both_readers
def test_extensions_inside_each_other_are_bounded_whatever_the_bytes_say(reader):
    body = b"\x90"
    for _ in range(2000):
        body = b"\x91\xc9" + struct.pack(">I", len(body)) + b"\x02" + body
    errors: list[CodecError] = []

    def decode_on_a_small_stack() -> None:
        try:
            reader.decode(body)
        except CodecError as error:
            errors.append(error)

    before = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=decode_on_a_small_stack)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert errors
    assert "nests deeper" in errors[0].rule


@both_readers
@pytest.mark.parametrize(
    ("wrap", "levels"),
    [
        (lambda inner: [inner], 1),
        (lambda inner: {"k": inner}, 1),
        (lambda inner: (inner,), 1),
        (lambda inner: frozenset({inner}), 1),
        (lambda inner: [{date.min: inner}], 2),
        (lambda inner: ([inner],), 2),
    ],
    ids=["list", "dict", "tuple", "frozenset", "list of dict", "tuple of list"],
)
@pytest.mark.parametrize("core", [1, Decimal(1), b"b"], ids=["plain", "extension", "bytes"])
def test_nesting_is_bounded_alike_for_every_container(reader, wrap, levels, core):
    deepest = nested(codec.MAX_DEPTH // levels, wrap, core)
    stored = reader.encode(deepest, "value")
    assert reader.encode(reader.decode(stored), "value") == stored
    for deeper in (wrap(deepest), [deepest], nested(50_000, lambda inner: [inner], core)):
        with pytest.raises(CodecError, match="nests deeper than 256 levels"):
            reader.encode(deeper, "value")


def test_a_value_that_contains_itself_is_refused():
    cyclic: list[Any] = [1]
    cyclic.append(cyclic)
    loop: dict[str, Any] = {}
    loop["loop"] = (loop,)
    for value in (cyclic, loop, {"a": cyclic, "b": Decimal(1)}):
        with pytest.raises(CodecError, match="or contains itself"):
            codec.encode(value, "value")


class Colour(IntEnum):
    RED = 1


class Word(StrEnum):
    YES = "yes"


class Plain(Enum):
    ONE = 1


class Moment(datetime):
    pass


class Nowhere(tzinfo):
    def utcoffset(self, _moment, /):
        return None

    def dst(self, _moment, /):
        return None

    def tzname(self, _moment, /):
        return None


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None), "make it aware"),
        (datetime(2024, 1, 1, tzinfo=Nowhere()), "make it aware"),
        (Moment(2024, 1, 1, tzinfo=UTC), "would come back as"),
        (time(1, tzinfo=ZoneInfo("Europe/Berlin")), "no fixed offset"),
        (Colour.RED, "a Colour would come back as int"),
        (Word.YES, "a Word would come back as str"),
        (Plain.ONE, "cannot be stored"),
        (Pair(1, 2), "a Pair would come back as tuple"),
        (OrderedDict(a=1), "a OrderedDict would come back as dict"),
        (Counter("a"), "a Counter would come back as dict"),
        (UserDict(a=1), "convert it with dict"),
        (MappingProxyType({"a": 1}), "convert it with dict"),
        (bytearray(b"a"), "convert it with bytes"),
        (memoryview(b"a"), "convert it with bytes"),
        (msgpack.ExtType(2, b"\x90"), "cannot be stored|would come back as tuple"),
        (msgpack.Timestamp(1), "cannot be stored"),
        (Point(1), "these can"),
        (object(), "these can"),
        (1j, "these can"),
        (Fraction(1, 2), "these can"),
        (iter([1]), "these can"),
        (int, "these can"),
        (NotImplemented, "these can"),
        ("\ud800", "not UTF-8"),
        (Ref("\udfff"), "not UTF-8"),
        (Ref(5), "must be a str"),  # type: ignore[arg-type]
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_refused_wherever_it_is(value, rule):
    places = [value, [value], (value,), {"k": value}, {"x": Decimal(1), "k": [{"deep": value}]}]
    if isinstance(value, Hashable):
        places += [{value: 1}, {value}]
    for place in places:
        with pytest.raises(CodecError, match=rule) as caught:
            codec.encode(place, "payload of thing.happened")
        assert caught.value.what == "payload of thing.happened"
        assert type(caught.value.value) is (str if "UTF-8" in rule else type(value))


def test_bytes_hide_nothing_that_would_not_come_back():
    digest = bytes(range(0xC0, 0xE0))
    entry = ["kind", {"name": "Ωμέγα", "tags": ["a", b"b"], 3: None}, 2**63, digest, digest]
    assert codec.decode(codec.encode(entry, "v")) == entry
    for place in ([digest, [bytearray(b"a")]], {"a": digest, "b": {"c": bytearray(b"a")}}):
        with pytest.raises(CodecError, match="convert it with bytes"):
            codec.encode(place, "v")
    with pytest.raises(CodecError, match="cannot be stored"):
        codec.encode({"a": digest, msgpack.Timestamp(1): 1}, "v")


def test_suspicious_bytes_in_text_do_not_make_text_suspicious():
    text = "ġ ł ń ş Ā շ אב عين \u05ff"
    assert codec.decode(codec.encode({"text": text, "n": [0xC4C5, -0.1]}, "v")) == {
        "text": text,
        "n": [0xC4C5, -0.1],
    }


def test_keys_that_would_fall_together_are_refused():
    value = {(float("nan"),): n for n in range(2)}
    with pytest.raises(CodecError, match="two of its keys"):
        codec.encode(value, "value")


def test_two_nan_keys_and_two_nan_members_stay_two():
    for reader in (codec, without_msgspec):
        assert len(reader.decode(codec.encode({float("nan"): 1, float("nan"): 2}, "v"))) == 2
        assert len(reader.decode(codec.encode({float("nan"), float("nan")}, "v"))) == 2


@pytest.mark.parametrize(
    "payload", [{"a": 1}, OrderedDict(a=1), MappingProxyType({"a": 1}), UserDict(a=1)]
)
def test_a_payload_may_be_any_mapping(payload):
    assert codec.decode(codec.encode_payload(payload, "payload")) == {"a": 1}


@pytest.mark.parametrize(
    "payload", [None, [], [("a", 1)], "a", 5, {1: 2}, {Word.YES: 1}, {None: 1}]
)
def test_a_payload_must_be_a_mapping_with_str_keys(payload):
    with pytest.raises(CodecError, match="payload of x"):
        codec.encode_payload(payload, "payload of x")


def test_a_payload_of_another_mapping_type_is_not_changed():
    payload = UserDict(a=[1])
    codec.encode_payload(payload, "payload")
    assert payload == {"a": [1]}


def test_a_zone_is_kept_as_its_offset():
    summer = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    back = codec.decode(codec.encode(summer, "v"))
    assert back == summer
    assert back.tzinfo == timezone(timedelta(hours=2))
    assert (
        codec.decode(codec.encode(datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), "v")).tzinfo is UTC
    )


def test_the_repeated_hour_keeps_its_instant():
    second = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    back = codec.decode(codec.encode(second, "v"))
    assert back.timestamp() == second.timestamp()
    assert back.utcoffset() == timedelta(hours=1)


@both_readers
def test_a_timestamp_of_another_writer_is_read_to_the_microsecond(reader):
    stored = msgpack.packb(msgpack.Timestamp(1, 5_000))
    assert reader.decode(stored) == datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)


@both_readers
def test_every_buffer_type_is_read(reader):
    stored = codec.encode({"a": (1, 2**70)}, "v")
    for data in (stored, bytearray(stored), memoryview(stored)):
        assert reader.decode(data) == {"a": (1, 2**70)}


@both_readers
def test_foreign_maps_with_repeated_or_array_keys_are_read_alike(reader):
    assert reader.decode(b"\x82\xa1a\x01\xa1a\x02") == {"a": 2}
    assert reader.decode(b"\x81\x92\x01\x91\x02\x03") == {(1, (2,)): 3}


def test_decoded_values_share_nothing():
    stored = codec.encode({"a": [1], "b": {"c": {1}}}, "v")
    first, second = codec.decode(stored), codec.decode(stored)
    first["a"].append(2)
    first["b"]["c"].add(2)
    assert second == {"a": [1], "b": {"c": {1}}}


def test_bytes_do_not_depend_on_the_hash_seed():
    program = (
        "import sys\n"
        "from ramax.core.codec import encode\n"
        "words = {f'word{n}' for n in range(50)}\n"
        "value = {'s': words, 'f': frozenset(map(frozenset, [words, {'a', 'b', 'c'}])), 'n': {None, 1, 'x', (2,)}}\n"
        "sys.stdout.write(encode(value, 'v').hex())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(codec.__file__).parents[2])},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 500


def test_a_thread_that_interrupts_another_does_not_get_its_bytes():
    # An integer beyond 64 bits raises inside of the packer, in the middle of a value; that may
    # run the garbage collector, and so any code in any thread.
    written: list[bytes] = []

    def interrupt(_phase: str, _info: dict[str, int]) -> None:
        thread = threading.Thread(target=lambda: written.append(codec.encode(["other"], "v")))
        thread.start()
        thread.join()

    thresholds = gc.get_threshold()
    gc.callbacks.append(interrupt)
    gc.set_threshold(1)
    try:
        mine = codec.encode(["mine", 2**70], "v")
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(interrupt)
    assert codec.decode(mine) == ["mine", 2**70]
    assert written
    assert set(written) == {b"\x91\xa5other"}


def test_a_failed_value_leaves_nothing_behind_for_the_next():
    for bad in ({"a": [1, 2, object()]}, {"a": "\ud800"}, nested(3000)):
        with pytest.raises(CodecError):
            codec.encode(bad, "v")
        assert codec.encode([1], "v") == b"\x91\x01"


def test_the_format_tag_chooses_the_reader():
    assert codec.decode_tagged(codec.encode({"a": 1}, "v"), codec.FORMAT_MSGPACK) == {"a": 1}
    assert codec.decode_tagged(b'{"a": {"key": "b:1"}}', codec.FORMAT_JSON) == {"a": Ref("b:1")}
    with pytest.raises(CodecError, match="must be one of"):
        codec.decode_tagged(b"\x01", "pickle")


def test_json_references_are_exactly_one_text_entry_named_key():
    stored = b'[{"key": "a"}, {"key": 1}, {"key": "a", "x": 1}, {}, "\xc3\xa9", 1.5, null]'
    found = codec.decode_tagged(stored, codec.FORMAT_JSON)
    assert found == [Ref("a"), {"key": 1}, {"key": "a", "x": 1}, {}, "é", 1.5, None]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[1] 2", b"[" * 100_000, b"1" * 10_000], ids=range(6)
)
def test_broken_json_is_refused(data):
    with pytest.raises(CodecError, match="is not a JSON value"):
        codec.decode_tagged(data, codec.FORMAT_JSON)
