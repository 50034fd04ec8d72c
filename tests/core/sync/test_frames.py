import tracemalloc

import pytest

from ramax.core.sync.frames import (
    Frame,
    framed,
    pack,
    pack_request,
    page_of,
    taken,
    unpack,
    unpack_greeting,
    unpack_request,
)
from ramax.errors import CodecError, DataError
from tests._each import each
from tests._serving import records


def test_a_frame_comes_back_as_it_was():
    body = {"since": {b"o" * 16: 7}, "limit": None, "名": "前"}
    assert unpack(pack("pull", **body)) == Frame("pull", body)


@each("data", [b"", b"\xc1", b"\x01", b"\x92\x01\x80", b"\x92\xa1a\x90", b"\x93\xa1a\x80\x80"])
async def test_what_is_no_frame_is_refused(data):
    with pytest.raises((DataError, CodecError)):
        unpack(data)


def test_a_request_carries_its_greeting_and_goes_where_it_says():
    data = pack_request({"space": "notes"}, "pull", {"limit": 1})
    hello, rest = unpack_greeting(data, 100)
    assert hello == ("hello", {"space": "notes"})
    assert unpack_request(rest, "pull").body == {"limit": 1}
    with pytest.raises(DataError, match="push"):
        unpack_request(rest, "push")
    with pytest.raises(DataError):
        unpack_greeting(pack("pull"), 100)
    with pytest.raises(DataError, match="at most 10 bytes"):
        unpack_greeting(data, 10)


def test_of_a_request_nothing_is_decoded_with_its_greeting():
    many = b"\xdd" + (1_000_000).to_bytes(4) + b"\x80" * 1_000_000
    bomb = b"\x92" + pack("hello", space="notes") + many
    tracemalloc.start()
    try:
        hello, rest = unpack_greeting(bomb, 100)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert (hello.body["space"], rest) == ("notes", many)


def test_what_a_body_says_is_of_the_type_that_is_asked_for():
    assert taken({"limit": 3}, "limit", int) == 3
    assert taken({}, "token", str, type(None)) is None
    for value in (True, "3", None, 3.0):
        with pytest.raises(DataError, match="limit"):
            taken({"limit": value}, "limit", int)


def test_a_page_is_about_so_long_but_never_empty():
    given = records(5, payload=b"x" * 1_000)
    assert len(page_of(given, 3_000)) == 2
    assert len(page_of(given, 1)) == 1
    assert len(page_of(given, 10**6)) == 5
    assert page_of([], 10) == []


def test_a_framed_frame_begins_with_its_length():
    assert framed(b"abc") == b"\x00\x00\x00\x03abc"
