"""Sealed secrets reach the layers of a space and come from them, and no failure erases one."""

from functools import partial

import ramax
from ramax import SpaceManager
from ramax.core.sealed import SealedSecret, SealedSet
from ramax.sync.memory_layer import MemoryLayer
from ramax.sync.secret_flow import SecretFlow
from tests.secrets._vaults import OneKey
from tests.sync._managers import Places, until, write


async def test_secrets_reach_every_replica_and_both_of_two_names_stay():
    """A7, B15: set on both sides while apart; the layer in between cannot read them."""
    keys, places = OneKey(), Places("server")

    def manager_of(db):
        return SpaceManager(db, places, first_retry=0.01, secrets_interval=0.02)

    async with (
        ramax.connect(keys=keys) as mine,
        ramax.connect(keys=keys) as theirs,
        manager_of(mine) as my_manager,
        manager_of(theirs) as their_manager,
    ):
        my_store = await my_manager.create("notes")
        await write(my_store, "a")
        await my_store.secrets.set("shared", 1)
        await until(lambda: bool(places["server"].sealed.secrets))
        their_store = await their_manager.load("notes")
        assert await their_store.secrets.get("shared") == 1
        await my_store.secrets.set("mine", "m")
        await their_store.secrets.set("theirs", "t")
        for store in (my_store, their_store):
            await until(partial(_knows, store, "mine", "theirs"))
            assert await store.secrets.get("theirs") == "t"
            assert await store.secrets.get("mine") == "m"
    assert b"m" not in {each.sealed for each in places["server"].sealed.secrets}


async def _knows(store, *names: str) -> bool:
    return set(names) <= set(await store.secrets.list())


async def test_a_layer_that_fails_with_secrets_erases_none(memory_url):
    """B15: an error is no empty set."""
    places = Places("server", "other")
    async with (
        ramax.connect(memory_url, keys=OneKey()) as db,
        SpaceManager(db, places, first_retry=0.01, secrets_interval=0.02) as manager,
    ):
        store = await manager.create("notes")
        await write(store, "a")
        await store.secrets.set("api", "token")
        await manager.flush("notes")
        await until(lambda: all(p.sealed.secrets for p in places.places.values()))
        places.layer("server").cut()
        await store.secrets.set("more", 1)
        await until(lambda: len(places["other"].sealed.secrets) == 2)
        assert len(places["server"].sealed.secrets) == 1
        places.layer("server").mend()
        await until(lambda: len(places["server"].sealed.secrets) == 2)
        assert await store.secrets.get("api") == "token"


class Exchange:
    """What a space has, and what was merged into it."""

    def __init__(self, *names: str) -> None:
        self.sealed = SealedSet(secrets=tuple(map(secret, names)))
        self.merged: list[SealedSet] = []

    async def export(self) -> SealedSet:
        return self.sealed

    async def merge(self, given: SealedSet) -> None:
        self.merged.append(given)


class Counting(MemoryLayer):
    saves = 0

    async def save_secrets(self, sealed: SealedSet) -> None:
        self.saves += 1
        await super().save_secrets(sealed)


def secret(name: str) -> SealedSecret:
    return SealedSecret(name, b"k" * 16, b"sealed", 1 << 16, b"o" * 16)


async def test_a_layer_is_given_what_changed_and_all_again_when_it_lost_it():
    layer, exchange = Counting(), Exchange()
    flow = SecretFlow(layer)
    await flow.give(exchange)
    assert layer.saves == 0
    exchange.sealed = SealedSet(secrets=(secret("a"),))
    for _ in range(2):
        await flow.give(exchange)
    assert layer.saves == 1
    flow.forget()
    await flow.give(exchange)
    assert layer.saves == 2


async def test_nothing_is_merged_from_a_layer_that_has_nothing():
    layer, exchange = MemoryLayer(), Exchange("a")
    flow = SecretFlow(layer)
    await flow.take(exchange)
    await flow.take(None)
    assert exchange.merged == []
    await flow.give(exchange)
    await flow.take(exchange)
    assert exchange.merged == [exchange.sealed]
