"""The data keys of a space change under its lock, and who prepared for older ones looks again."""

from ramax.secrets.space_keys import SpaceKeys, write_new_key
from ramax.secrets.vault import Vault
from ramax.storage import secrets as rows
from tests.secrets._vaults import OneKey


async def test_who_prepared_before_the_keys_moved_prepares_again(db):
    space = await db.spaces.create("acme")
    provider = OneKey()
    slow, quick = [SpaceKeys(db._core, space, Vault(provider)) for _ in range(2)]
    rounds = []

    async def prepare(known):
        rounds.append(len(known.keys))
        sealer = await slow.sealer(known)
        if len(rounds) == 1:
            await quick.change(quick.sealer, write_new_key_only)
        return sealer

    def write_new_key_only(ex, known, sealer, at):
        write_new_key(ex, known, sealer, at)
        return [key.key_id for key in rows.read_keys(ex, known.space.space_id)]

    found = await slow.change(prepare, write_new_key_only)
    assert rounds == [0, 1]
    assert len(found) == 1


async def test_every_change_has_a_later_version(db):
    keys = SpaceKeys(db._core, await db.spaces.create("acme"), Vault(OneKey()))

    async def nothing(_known):
        return None

    versions = [await keys.change(nothing, lambda *given: given[-1]) for _ in range(3)]
    assert versions == sorted(set(versions))
    assert len({origin for _, origin in versions}) == 1
