import tracemalloc

import pytest

from ramax.core import erlang, erlang_reader
from ramax.errors import LegacyFormatError
from tests.core.terms import (
    NIL,
    NODE,
    a_list,
    a_map,
    a_struct,
    a_tuple,
    atom,
    binary,
    compressed,
    floating,
    integer,
    read,
    term,
    u32,
)


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
