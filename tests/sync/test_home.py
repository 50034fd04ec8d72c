import ramax
from ramax.sync.home import Home
from ramax.sync.open_space import OpenSpace
from ramax.sync.terms import Pace


async def test_an_open_space_is_what_workers_ask():
    async with ramax.connect() as db:
        assert isinstance(OpenSpace(db._core, "notes", Pace(), lambda _event: None), Home)
    assert not isinstance(object(), Home)
