"""Key providers and secrets of a space, put together for the tests of this folder."""

from ramax.secrets.client import Secrets
from ramax.secrets.envelope import new_key, seal, unseal
from ramax.secrets.merging import SecretExchange
from ramax.secrets.vault import Vault


class OneKey:
    """A provider whose master key is in its hand; counts what it unwraps."""

    def __init__(self, name="one key", key=None):
        self.name, self.key = name, key or new_key()
        self.unwrapped = 0

    async def wrap(self, key, bound_to):
        return seal(self.key, key, bound_to)

    async def unwrap(self, wrapped, bound_to):
        self.unwrapped += 1
        return unseal(self.key, wrapped, bound_to)


async def secrets_of(db, space, provider):
    """The secrets of a space as a process sees them that has just started."""
    found = await db.spaces.get_or_create(space)
    return Secrets(db._core, found, Vault(provider))


async def exchange_of(db, space, provider):
    found = await db.spaces.get_or_create(space)
    return SecretExchange(db._core, found, Vault(provider))
