"""A server elsewhere is a layer like any other, by WebSocket and by plain HTTP."""

from contextlib import aclosing, suppress

import pytest

import ramax
from ramax.core.sealed import SealedSecret, SealedSet
from ramax.errors import (
    ForkError,
    GapError,
    LayerAuthError,
    LayerError,
    LayerResetError,
    LayerUnavailableError,
    ProtocolError,
)
from ramax.sync.layer import SpaceRef, TwoWayLayer
from ramax.sync.memory_layer import MemoryLayer
from ramax.testing import LayerContract
from ramax.web import Access, Limits
from tests._each import each
from tests._serving import NOTES, OTHER, OWN, TOKENS, layer_at, memory, records, served
from tests.secrets._vaults import OneKey


async def test_it_is_a_two_way_layer_that_says_what_is_there(reach, port, place):
    layer = reach(port)
    assert isinstance(layer, TwoWayLayer)
    info = await layer.open(NOTES)
    assert (info.space_uid, info.epoch) == (None, place.epoch)
    assert info.origins == frozenset({OWN})


async def test_what_is_pushed_is_pulled_again_byte_by_byte(reach, port):
    layer = reach(port)
    await layer.open(NOTES)
    odd = [b"", b"\x00", b"\xff" * 70_000, "名前".encode()]
    pushed = [record for n, each in enumerate(odd) for record in records(1, OWN, n + 1, each)]
    written = await layer.write(pushed)
    assert (written.vector, written.duplicates, written.refused) == ({OWN: 4}, 0, ())
    assert [record async for page in layer.read({}) for record in page] == pushed
    assert [r.origin_seq async for page in layer.read({OWN: 2}, 1) for r in page] == [3, 4]
    assert await layer.vector() == {OWN: 4}


async def test_pushing_again_is_no_error_and_changes_nothing(reach, port, place):
    """B6: a lost answer heals on the next push."""
    layer = reach(port)
    await layer.open(NOTES)
    await layer.write(records(3))
    assert (await layer.write(records(5))).duplicates == 3
    assert place.vector == {OWN: 5}


async def test_a_gap_says_what_is_wanted(reach, port, place):
    layer = reach(port)
    await layer.open(NOTES)
    await layer.write(records(2))
    with pytest.raises(GapError) as caught:
        await layer.write(records(1, first=4))
    assert caught.value.wanted == {OWN: 2}
    assert (await layer.write(records(2, first=3))).vector == {OWN: 4}, "the layer goes on"


async def test_another_event_in_the_same_place_is_a_fork(reach, port, place):
    """B10."""
    layer = reach(port)
    await layer.open(NOTES)
    await layer.write(records(2))
    with pytest.raises(ForkError) as caught:
        await layer.write(records(2, payload=b"\xc0"))
    assert (caught.value.origin, caught.value.sequence) == (OWN, 1)
    assert place.records[OWN] == records(2)


async def test_one_origin_pushes_only_its_own_events(reach, port, place):
    layer = reach(port)
    await layer.open(NOTES)
    with pytest.raises(LayerAuthError, match=OTHER.hex()):
        await layer.write([*records(1), *records(1, OTHER)])
    assert place.vector == {}
    relay = reach(port, "relay")
    assert (await relay.open(NOTES)).origins is None
    await relay.write(records(1, OTHER))
    assert place.vector == {OTHER: 1}


async def test_who_is_not_known_gets_nothing(reach, port):
    """A14."""
    for token in ("", "nobody"):
        with pytest.raises(LayerAuthError):
            await reach(port, token).open(NOTES)


async def test_a_space_of_the_same_name_is_not_the_same_space(reach, port, place):
    layer = reach(port)
    await layer.open(NOTES)
    await layer.write(records(1))
    assert place.space_uid == NOTES.space_uid
    with pytest.raises(LayerError):
        await reach(port).open(SpaceRef("notes", b"t" * 16, OWN))


async def test_a_listener_hears_what_is_there_and_what_comes(reach, port, place):
    layer, other = reach(port), reach(port, "relay")
    await layer.open(NOTES)
    await other.open(NOTES)
    await other.write(records(2, OTHER))
    async with aclosing(layer.changes({})) as changes:
        assert [r.origin_seq for r in (await anext(changes)).records] == [1, 2]
        assert (await anext(changes)).caught_up
        await other.write(records(1, OTHER, 3))
        assert [r.origin_seq for r in (await anext(changes)).records] == [3]
        assert await layer.vector() == {OTHER: 3}, "requests go on beside it"


@pytest.mark.parametrize("way", ["websocket", "http"])
async def test_a_listener_whose_token_was_revoked_hears_no_more(way, place, monkeypatch):
    monkeypatch.setitem(TOKENS, "leaving", Access())
    async with served(memory(place), Limits(access_seconds=0)) as port:
        layer, other = layer_at(way, port, "leaving"), layer_at(way, port, "relay")
        await layer.open(NOTES)
        await other.open(NOTES)
        await other.write(records(2, OTHER))
        async with aclosing(layer.changes({})) as changes:
            assert len((await anext(changes)).records) == 2
            assert (await anext(changes)).caught_up
            monkeypatch.delitem(TOKENS, "leaving")
            await other.write(records(1, OTHER, 3))
            with pytest.raises(LayerAuthError):
                await anext(changes)
        await layer.aclose()
        await other.aclose()


async def test_secrets_go_there_sealed_and_come_back(reach, port, place):
    layer = reach(port)
    await layer.open(NOTES)
    secret = SealedSecret("token", b"k" * 16, b"sealed", 7, OWN)
    await layer.save_secrets(SealedSet((), (secret,)))
    assert await layer.load_secrets() == SealedSet((), (secret,))
    reader = reach(port, "reader")
    await reader.open(NOTES)
    with pytest.raises(LayerAuthError):
        await reader.load_secrets()


async def test_who_may_only_read_gives_no_secrets(reach, port, place):
    layer = reach(port, "listener")
    info = await layer.open(NOTES)
    assert info.secrets
    assert not info.takes_secrets
    assert await layer.load_secrets() == SealedSet()
    with pytest.raises(LayerAuthError):
        await layer.save_secrets(
            SealedSet((), (SealedSecret("token", b"k" * 16, b"other", 9, OWN),))
        )
    assert place.sealed == SealedSet()


@each("token", ["reader", "listener"])
async def test_who_gets_no_secrets_or_gives_none_gets_the_events(reach, port, place, token):
    place.space_uid = NOTES.space_uid
    place.add("notes", records(3))
    async with ramax.connect(keys=OneKey()) as db:
        layers = [reach(port, token, layer_id="server")]
        async with ramax.SpaceManager(db, lambda _ref: layers, secrets_interval=0.01) as manager:
            store = await manager.load("notes")
            await store.secrets.set("mine", "stays here")
            place.add("notes", records(1, first=4))
            while await store.events.get_space_latest_sequence() < 4:
                await manager.flush("notes")
            assert (await manager.status("notes"))["server"].connected
    assert place.sealed == SealedSet()


async def test_large_pages_are_cut_but_nothing_is_left_out(reach, port, place):
    place.add("notes", records(12, payload=b"x" * 300_000))
    layer = reach(port)
    await layer.open(NOTES)
    pages = [page async for page in layer.read({})]
    assert len(pages) == 4
    assert [r for page in pages for r in page] == records(12, payload=b"x" * 300_000)


async def test_a_layer_that_was_not_opened_says_so(reach, port):
    with pytest.raises(LayerError, match="open"):
        await reach(port).vector()


async def test_an_answer_that_makes_no_sense_is_the_servers_fault(reach, port, place):
    layer = reach(port)
    await layer.open(NOTES)
    place.records[OWN] = [records(1)[0]._replace(payload=b"changed on the way")]
    with pytest.raises(ProtocolError, match="digest"):
        await anext(layer.read({}))


async def test_a_server_that_says_the_same_again_and_again_is_not_asked_for_ever(
    reach, port, place
):
    layer = reach(port)
    await layer.open(NOTES)
    place.add("notes", records(2))

    async def the_same(_self, _since, _limit):
        yield place.records[OWN]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemoryLayer, "read", the_same)
        with pytest.raises(ProtocolError, match="again"):
            async for _ in layer.read({}):
                pass


async def test_a_server_that_was_reset_is_noticed_before_anything_is_pushed(reach, place):
    """B16: also by a layer that was connected all the time, as no connection outlives a server."""
    async with served(memory(place)) as first:
        layer = reach(first)
        await layer.open(NOTES)
        await layer.write(records(3))
    place.reset({OWN: 1})
    async with served(memory(place), port=first):
        with pytest.raises(LayerError) as noticed:
            while True:  # the first may still be told that the old connection ended
                with suppress(LayerUnavailableError):
                    await layer.write(records(1, first=4))
        assert isinstance(noticed.value, LayerResetError)
        assert noticed.value.epoch == place.epoch
        assert place.vector == {OWN: 1}
        assert (await layer.open(NOTES)).epoch == place.epoch
        assert (await layer.write(records(4))).vector == {OWN: 4}


class TestOverWebSockets(LayerContract):
    """The contract of layers, across a real server; in memory, as what it holds is not the point."""

    way = "websocket"

    @pytest.fixture(autouse=True)
    async def served(self, place):
        async with served(memory(place)) as self.port:
            yield

    def layer(self):
        return layer_at(self.way, self.port, "relay")


class TestOverHttp(TestOverWebSockets):
    way = "http"
