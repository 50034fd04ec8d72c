"""What every layer must do, as tests that a layer of yours can run.

    class TestMyLayer(LayerContract):
        @pytest.fixture(autouse=True)
        def place(self, tmp_path):
            self.path = tmp_path

        def layer(self):
            return MyLayer(self.path)

The tests are coroutines: they need pytest-asyncio in its auto mode, or something like it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, cast

from ramax.core.codec import encode
from ramax.core.sealed import SealedSecret, SealedSet, WrappedKey
from ramax.core.sync.record import EventRecord
from ramax.core.sync.vector import Vector
from ramax.errors import ForkError, GapError, LayerError
from ramax.sync.layer import Incoming, Layer, SpaceRef, TwoWayLayer, Written
from ramax.testing.records import record, records

E = TypeVar("E", bound=Exception)

UID, OTHER_UID = b"space-uid-of-one", b"space-uid-of-two"
ONE, TWO = b"origin-of-device", b"origin-of-server"
REF = SpaceRef("notes", UID)

HARD_VALUES: tuple[Any, ...] = (
    *({}, [], None, 0, "", False, True, 2**63, -(2**70), 1.5, 'a "quoted" key', "żółć\n"),
    {"": {"ä": ["z", {}]}},
)


class LayerContract(ABC):
    """Subclass it, and say how a layer is made; each test begins with an empty place."""

    patience: float = 30.0
    """Seconds within which something that was written must be heard."""

    keeps_secrets: bool = True
    """Off for a layer that is not given any."""

    @abstractmethod
    def layer(self) -> Layer:
        """Return a new layer; all of one test are at the same place."""

    @asynccontextmanager
    async def opened(self, ref: SpaceRef = REF) -> AsyncIterator[Layer]:
        """Lend an open layer."""
        layer = self.layer()
        try:
            await layer.open(ref)
            yield layer
        finally:
            await layer.aclose()

    async def test_an_empty_place_says_that_it_holds_nothing(self) -> None:
        """It takes the space that is brought to it."""
        layer = self.layer()
        info = await layer.open(SpaceRef("notes"))
        assert info.space_uid is None
        assert info.max_records > 0
        assert info.max_bytes > 0
        assert dict(await layer.vector()) == {}
        assert await everything(layer) == []
        await layer.aclose()

    async def test_its_id_is_stable(self) -> None:
        """Cursors are kept under it."""
        assert self.layer().layer_id == self.layer().layer_id
        assert 0 < len(self.layer().layer_id.encode()) <= 255  # noqa: PLR2004 - the protocol's

    async def test_what_is_written_comes_back_byte_for_byte(self) -> None:
        """Whatever a payload holds; the layer decodes nothing."""
        given = [
            record(
                *(ONE, seq, value),
                metadata=encode({"m": value}, "m") if seq % 2 else None,
                tags=encode(["t"], "t") if seq % 3 else None,
                correlation_id="c" if seq % 2 else None,
            )
            for seq, value in enumerate(HARD_VALUES, 1)
        ]
        given.append(record(ONE, len(given) + 1, causation=given[0].uid))
        async with self.opened() as layer:
            written = await layer.write(given)
            assert dict(written.vector) == {ONE: len(given)}
            assert (written.duplicates, written.refused) == (0, ())
        async with self.opened() as layer:
            assert await everything(layer) == given

    async def test_another_object_finds_what_was_written_and_whose_it_is(self) -> None:
        """What `Layer.write` has answered outlives the object."""
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 3))
            await layer.write([*records(TWO, 1, 2), *records(ONE, 4, 4)])
        other = self.layer()
        info = await other.open(SpaceRef("notes"))
        assert info.space_uid == UID
        assert dict(await other.vector()) == {ONE: 4, TWO: 2}
        await other.aclose()

    async def test_a_write_of_nothing_makes_it_hold_the_space(self) -> None:
        """A space is found by others before its first event."""
        async with self.opened() as layer:
            written = await layer.write([])
            assert (dict(written.vector), written.duplicates, written.refused) == ({}, 0, ())
        other = self.layer()
        assert (await other.open(SpaceRef("notes"))).space_uid == UID
        assert dict(await other.vector()) == {}
        await other.aclose()

    async def test_a_second_push_of_the_same_is_no_error_and_adds_nothing(self) -> None:
        """B6: an answer that was lost is made good by pushing again."""
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 4))
            again = await layer.write(records(ONE, 2, 5))
            assert again.duplicates == 3  # noqa: PLR2004 - 2 to 4
            assert dict(again.vector) == {ONE: 5}
            assert await everything(layer) == records(ONE, 1, 5)

    async def test_records_after_a_hole_are_refused_and_it_says_from_where(self) -> None:
        """Nothing of such a write stays."""
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 2))
            gap = await raised(GapError, layer.write(records(ONE, 4, 5)))
            assert {**gap.wanted}.get(ONE) == 2  # noqa: PLR2004 - 1 and 2 are there
            assert dict(await layer.vector()) == {ONE: 2}

    async def test_another_record_in_a_place_that_is_taken_is_a_fork(self) -> None:
        """B10: nothing of such a write stays."""
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 3))
            forked = [record(ONE, 3, "another"), *records(ONE, 4, 4)]
            error = await raised(ForkError, layer.write(forked))
            assert (error.origin, error.sequence) == (ONE, 3)
            assert await everything(layer) == records(ONE, 1, 3)

    async def test_a_record_that_was_changed_on_the_way_is_not_taken(self) -> None:
        """Its digest tells; refused or raised, it is not there afterwards."""
        async with self.opened() as layer:
            changed = record(ONE, 1)._replace(entity_id="another")
            with suppress(LayerError, ValueError):
                await layer.write([changed])
            assert changed not in await everything(layer)

    async def test_only_what_is_beyond_a_vector_is_read_in_pages(self) -> None:
        """Those of an origin come in order and without a hole."""
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 9))
            await layer.write(records(TWO, 1, 4))
            pages = [page async for page in layer.read({ONE: 2, TWO: 4, UID: 7}, 3)]
            assert [each for page in pages for each in page] == records(ONE, 3, 9)
            assert max(map(len, pages)) <= 3  # noqa: PLR2004 - the limit
            assert [page async for page in layer.read({ONE: 9, TWO: 4})] == []

    async def test_two_writers_at_once_lose_nothing(self) -> None:
        """Two objects, as of two devices, each with its own origin."""
        async with self.opened() as one, self.opened() as other:

            async def push(layer: Layer, origin: bytes) -> None:
                for first in range(1, 13, 3):
                    await layer.write(records(origin, first, first + 2))

            await asyncio.gather(push(one, ONE), push(other, TWO))
            assert dict(await one.vector()) == dict(await other.vector()) == {ONE: 12, TWO: 12}
            assert await everything(one) == [*records(ONE, 1, 12), *records(TWO, 1, 12)]

    async def test_another_space_is_refused(self) -> None:
        """B20: two spaces never mix."""
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 1))
        other = self.layer()
        await raised(LayerError, other.open(SpaceRef("notes", OTHER_UID)))
        await other.aclose()

    async def test_it_may_be_closed_twice_and_opened_again(self) -> None:
        """As after a connection that was lost."""
        layer = self.layer()
        await layer.open(REF)
        await layer.write(records(ONE, 1, 1))
        await layer.aclose()
        await layer.aclose()
        assert (await layer.open(REF)).space_uid == UID
        await layer.write(records(ONE, 2, 2))
        assert await everything(layer) == records(ONE, 1, 2)
        await layer.aclose()

    async def test_the_later_secret_wins_and_nothing_is_erased(self) -> None:
        """A7: per name, whoever saves first; an empty or older set takes nothing away."""
        if not self.keeps_secrets:
            return
        async with self.opened() as layer:
            await layer.write(records(ONE, 1, 1))
            assert await layer.load_secrets() == SealedSet()
            key = WrappedKey(UID, "file", b"wrapped", 1, ONE)
            api, mail = (secret(name, 5) for name in ("api", "mail"))
            await layer.save_secrets(SealedSet((key,), (api, mail)))
            await layer.save_secrets(SealedSet((), (secret("api", 4), secret("new", 1))))
            await layer.save_secrets(SealedSet())
            await layer.save_secrets(SealedSet((), (secret("mail", 6),)))
        async with self.opened() as layer:
            found = await layer.load_secrets()
            assert found.keys == (key,)
            assert {each.name: each.stamp for each in found.secrets} == {
                "api": 5,
                "mail": 6,
                "new": 1,
            }

    async def test_changes_give_what_is_there_and_then_what_comes(self) -> None:
        """For two-way layers: first what the listener lacks, then that it has caught up."""
        async with self.opened() as writing:
            await writing.write(records(ONE, 1, 3))
            async with self.opened() as listening:
                if not listening.two_way:
                    return
                changes = cast("TwoWayLayer", listening).changes({ONE: 1})
                assert await self.heard(changes, 2, ends=True) == records(ONE, 2, 3)
                await writing.write(records(TWO, 1, 2))
                assert await self.heard(changes, 2) == records(TWO, 1, 2)
                await writing.write(records(ONE, 4, 4))
                assert await self.heard(changes, 1) == records(ONE, 4, 4)
                await cast("Any", changes).aclose()

    async def heard(
        self, changes: AsyncIterator[Incoming], count: int, *, ends: bool = False
    ) -> list[EventRecord]:
        """Listen until ``count`` records came, and with ``ends`` until it says that is all."""
        found: list[EventRecord] = []
        async with asyncio.timeout(self.patience):
            async for incoming in changes:
                found += incoming.records
                if len(found) >= count and (not ends or incoming.caught_up):
                    return found
        raise AssertionError("the changes ended")


def secret(name: str, stamp: int) -> SealedSecret:
    """Return a secret that nobody could open."""
    return SealedSecret(name, UID, b"sealed at %d" % stamp, stamp, ONE)


async def everything(layer: Layer, since: Vector | None = None) -> list[EventRecord]:
    """Return all that a layer holds, by origin."""
    pages: list[Sequence[EventRecord]] = [page async for page in layer.read(since or {})]
    return sorted((r for page in pages for r in page), key=lambda r: (r.origin, r.origin_seq))


async def raised(kind: type[E], work: Awaitable[Written] | Awaitable[Any]) -> E:
    """Return the error that work must raise."""
    try:
        await work
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")
