"""What the public handles offer is put together at the entry: here, the secrets of a database."""

import pytest

import ramax
from ramax.errors import MisuseError, SpaceNotFoundError
from tests.secrets._vaults import OneKey


async def test_a_store_opens_what_another_of_the_same_database_sealed(url):
    provider = OneKey()
    async with ramax.connect(url, keys=provider) as db:
        await (await db.content_store("acme")).secrets.set("a", 1)
        assert await (await db.content_store("acme")).secrets.get("a") == 1
        assert provider.unwrapped == 0  # the key was made here, and is at hand


async def test_databases_do_not_share_their_providers():
    async with ramax.connect(keys=OneKey()) as one, ramax.connect() as other:
        await (await one.content_store("acme")).secrets.set("a", 1)
        with pytest.raises(MisuseError):
            await (await other.content_store("acme")).secrets.set("a", 1)


async def test_a_view_of_a_space_that_is_not_there_has_no_secrets_and_its_first_makes_it(url):
    async with ramax.connect(url, keys=OneKey()) as db:
        view = (await db.content_store("acme")).at("later")
        assert (await view.secrets.get("a"), await view.secrets.list()) == (None, [])
        assert not await db.spaces.exists("later")
        await view.secrets.set("a", 1)
        assert await db.spaces.exists("later")
        assert await view.secrets.get("a") == 1
        await db.spaces.delete("later", force=True)
        store = await db.content_store("acme")
        await db.spaces.delete("acme", force=True)
        with pytest.raises(SpaceNotFoundError):
            await store.secrets.list()
