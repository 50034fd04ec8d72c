"""The contract finds what is wrong with a layer: each of these breaks one rule."""

import pytest

from ramax.core.sealed import SealedSet
from ramax.errors import ForkError, GapError, LayerError
from ramax.sync.layer import Layer, LayerInfo, Written
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.testing import LayerContract


class ForgetsWhoseItIs(MemoryLayer):
    async def open(self, ref):
        info = await super().open(ref)
        return LayerInfo(None, info.epoch)


class SkipsAPage(MemoryLayer):
    async def read(self, since, limit=500):
        first = True
        async for page in super().read(since, limit):
            if not first:
                yield page
            first = False


class IgnoresTheLimit(MemoryLayer):
    async def read(self, since, limit=500):
        async for page in super().read(since, limit * 2):
            yield page


class FillsGaps(MemoryLayer):
    async def write(self, records):
        try:
            return await super().write(records)
        except GapError:
            return Written(self.place.vector)


class OverlooksForks(MemoryLayer):
    async def write(self, records):
        try:
            return await super().write(records)
        except ForkError:
            return Written(self.place.vector, duplicates=len(records))


class ForgetsDuplicates(MemoryLayer):
    async def write(self, records):
        return Written((await super().write(records)).vector)


class TakesAnySpace(MemoryLayer):
    async def open(self, ref):
        try:
            return await super().open(ref)
        except LayerError:
            return LayerInfo(ref.space_uid, None)


class OverwritesSecrets(MemoryLayer):
    async def save_secrets(self, sealed):
        self.place.sealed = sealed


class NeverCatchesUp(MemoryLayer):
    async def changes(self, since):
        async for incoming in super().changes(since):
            if not incoming.caught_up:
                yield incoming


class Contract(LayerContract):
    patience = 0.2

    def __init__(self, kind: type[MemoryLayer]) -> None:
        self.kind, self.place = kind, MemoryPlace()

    def layer(self) -> Layer:
        return self.kind(self.place)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (ForgetsWhoseItIs, "test_another_object_finds_what_was_written_and_whose_it_is"),
        (SkipsAPage, "test_only_what_is_beyond_a_vector_is_read_in_pages"),
        (IgnoresTheLimit, "test_only_what_is_beyond_a_vector_is_read_in_pages"),
        (FillsGaps, "test_records_after_a_hole_are_refused_and_it_says_from_where"),
        (OverlooksForks, "test_another_record_in_a_place_that_is_taken_is_a_fork"),
        (ForgetsDuplicates, "test_a_second_push_of_the_same_is_no_error_and_adds_nothing"),
        (TakesAnySpace, "test_another_space_is_refused"),
        (OverwritesSecrets, "test_the_later_secret_wins_and_nothing_is_erased"),
        (NeverCatchesUp, "test_changes_give_what_is_there_and_then_what_comes"),
    ],
)
async def test_a_broken_rule_is_found(kind: type[MemoryLayer], rule: str):
    await getattr(Contract(MemoryLayer), rule)()  # the layer itself keeps it
    with pytest.raises((AssertionError, TimeoutError)):
        await getattr(Contract(kind), rule)()


async def test_secrets_are_left_out_for_a_layer_without():
    contract = Contract(OverwritesSecrets)
    contract.keeps_secrets = False
    await contract.test_the_later_secret_wins_and_nothing_is_erased()
    assert contract.place.sealed == SealedSet()
