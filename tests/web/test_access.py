from starlette.requests import HTTPConnection

from ramax.web.access import Access, bearer_token


def test_access_lets_read_and_nothing_else_unless_told():
    assert Access().origins == frozenset()


def test_a_token_is_what_follows_bearer():
    for header, token in [
        (b"Bearer abc", "abc"),
        (b"bearer  abc ", "abc"),
        (b"Basic abc", None),
        (b"", None),
    ]:
        scope = {"type": "http", "headers": [(b"authorization", header)]}
        assert bearer_token(HTTPConnection(scope)) == token
