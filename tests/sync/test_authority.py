import pytest

from ramax.entry import SqlAuthority
from ramax.sync import Authority, Pending, Replace
from tests.sync._booking import book, booking


def test_an_authority_is_whatever_has_its_verbs():
    authority: Authority = SqlAuthority("sqlite://", booking)
    assert callable(authority.execute)
    assert Replace(book).params is None
    told = Pending(1, b"u" * 16, "book", ("1a", "ann"), at=None, confirmed=False, error=None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        told.number = 2  # type: ignore[misc]
