import pytest

from ramax.core.sync.frames import (
    Frame,
    framed,
    pack,
    pack_request,
    page_of,
    taken,
    unpack,
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
    hello, asked = unpack_request(data, "pull")
    assert (hello.kind, hello.body, asked.body) == ("hello", {"space": "notes"}, {"limit": 1})
    with pytest.raises(DataError, match="push"):
        unpack_request(data, "push")
    with pytest.raises(DataError):
        unpack_request(pack("pull"), "pull")


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
