"""The seam between stored values and those who read them."""

import pytest

from ramax.core.codec import FORMAT_JSON, encode
from ramax.core.decoding import Decoding
from ramax.core.state import Tagged
from ramax.errors import CodecError
from ramax.values import Ref
from tests._domains import documents


@pytest.mark.parametrize("domain", [None, documents()])
def test_a_value_is_decoded_afresh_every_time(domain):
    decoding = Decoding(domain)
    packed = encode({"tags": [Ref("a")]}, "value")
    first = decoding.value("k", packed)
    first["tags"].append("mine")
    assert decoding.value("k", packed) == {"tags": [Ref("a")]}


def test_a_value_of_another_format_is_decoded_by_its_tag():
    assert Decoding(None).value("k", Tagged(b'{"key": "card:c1"}', FORMAT_JSON)) == Ref("card:c1")


def test_bytes_that_cannot_be_read_are_no_missing_value():
    with pytest.raises(CodecError):
        Decoding(None).value("k", b"\xc1")
