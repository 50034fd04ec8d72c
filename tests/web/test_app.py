from ramax.web import make_app
from tests._serving import TOKENS, authorize, memory


async def test_it_can_be_mounted_under_a_path_of_another_application(place):
    app = make_app(memory(place), authorize)
    assert [route.path for route in app.routes] == ["/socket", "/{kind}"]  # type: ignore[attr-defined]
    assert TOKENS
