"""What is sealed opens with the same key and binding, and with nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.sealed import SealBrokenError
from ramax.secrets.envelope import new_key, seal, unseal

KEY = new_key()


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_is_sealed_opens_again(plain, bound_to):
    assert unseal(KEY, seal(KEY, plain, bound_to), bound_to) == plain


def test_the_same_value_is_never_sealed_the_same():
    assert seal(KEY, b"x", b"") != seal(KEY, b"x", b"")


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_one_changed_byte_breaks_the_seal(position):
    sealed = bytearray(seal(KEY, b"value", b"here"))
    sealed[position] ^= 1
    with pytest.raises(SealBrokenError):
        unseal(KEY, bytes(sealed), b"here")


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(27)])
def test_what_is_cut_short_is_a_broken_seal(sealed):
    with pytest.raises(SealBrokenError):
        unseal(KEY, sealed, b"")


def test_another_key_or_binding_opens_nothing():
    sealed = seal(KEY, b"value", b"here")
    with pytest.raises(SealBrokenError):
        unseal(new_key(), sealed, b"here")
    with pytest.raises(SealBrokenError):
        unseal(KEY, sealed, b"there")
