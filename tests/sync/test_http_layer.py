import pytest

from ramax.errors import LayerUnavailableError
from ramax.sync.http_layer import HttpLayer
from tests._serving import NOTES, OWN, cutting, layer_at, memory, records, served, silent


async def test_a_request_that_was_cut_off_is_not_taken_in_part(place, port):
    cuts, pushed = iter([9_000]), records(20, payload=b"x" * 900)

    def cut(data: bytes) -> int | None:
        return next(cuts, None) if len(data) > 10_000 else None

    async with cutting(port, cut) as through:
        layer = layer_at("http", through)
        await layer.open(NOTES)
        with pytest.raises(LayerUnavailableError):
            await layer.write(pushed)
        assert place.vector == {}
        await layer.write(pushed)
        assert place.records[OWN] == pushed
        await layer.aclose()


async def test_a_listener_whose_server_goes_away_hears_of_it(place):
    async with served(memory(place), timeout_graceful_shutdown=0) as port:
        layer = layer_at("http", port)
        await layer.open(NOTES)
        changes = layer.changes({})
        assert (await anext(changes)).caught_up
    with pytest.raises(LayerUnavailableError):
        await anext(changes)
    await layer.aclose()


async def test_a_server_that_says_nothing_is_unavailable():
    async with silent() as port:
        with pytest.raises(LayerUnavailableError):
            await layer_at("http", port, timeout=0.05).open(NOTES)


async def test_another_server_than_one_of_ours_is_said_to_be_that(port):
    layer = HttpLayer(f"http://127.0.0.1:{port}/elsewhere", token="ann")
    with pytest.raises(LayerUnavailableError, match="404"):
        await layer.open(NOTES)
    await layer.aclose()
