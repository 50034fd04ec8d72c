"""The data keys that one open database has unwrapped; holds no connection and writes nothing."""

import secrets

from ramax.core.sealed import ID_BYTES, KeyProvider, SealBrokenError, WrappedKey, key_binding
from ramax.errors import MisuseError, SecretDecryptError
from ramax.secrets.envelope import KEY_BYTES, new_key

_ABSENT = "secrets need a master key: connect(…, keys=…) with a provider of ramax.secrets"


class Vault:
    """Unwrapped keys stay in memory until they are destroyed: 32 bytes for each space in use."""

    def __init__(self, provider: KeyProvider | None) -> None:
        self._provider = provider
        self._opened: dict[tuple[bytes, bytes], bytes] = {}

    @property
    def provider(self) -> KeyProvider:
        """The provider of the master key.

        Raises:
            MisuseError: The database was opened without one.
        """
        if self._provider is None:
            raise MisuseError(_ABSENT)
        return self._provider

    @property
    def can_open(self) -> bool:
        """Whether there is a provider at all: a relay without one passes ciphertext on."""
        return self._provider is not None

    async def create(self, space_uid: bytes) -> WrappedKey:
        """Make a data key for a space; its version is set when it is written."""
        key, key_id = new_key(), secrets.token_bytes(ID_BYTES)
        wrapped = await self.wrap(space_uid, key_id, key)
        self._opened[space_uid, key_id] = key
        return wrapped

    async def wrap(self, space_uid: bytes, key_id: bytes, key: bytes) -> WrappedKey:
        """Wrap a data key with the master key; its version is set when it is written."""
        wrapped = await self.provider.wrap(key, key_binding(space_uid, key_id))
        return WrappedKey(key_id, self.provider.name, wrapped, 0, bytes(ID_BYTES))

    async def open(self, space: str, space_uid: bytes, key: WrappedKey) -> bytes:
        """Return a data key in the clear.

        Raises:
            SecretDecryptError: Another master key wrapped it, or it was changed.
        """
        found = self._opened.get((space_uid, key.key_id))
        if found is None:
            found = await unwrap(self.provider, space, space_uid, key)
            self._opened[space_uid, key.key_id] = found
        return found

    def opened(self, space_uid: bytes, key_id: bytes) -> bytes | None:
        """Return a data key that was made or opened before."""
        return self._opened.get((space_uid, key_id))

    def forget(self, space_uid: bytes, key_id: bytes) -> None:
        """Drop a data key from memory."""
        self._opened.pop((space_uid, key_id), None)


async def unwrap(provider: KeyProvider, space: str, space_uid: bytes, key: WrappedKey) -> bytes:
    """Unwrap a data key of the space called ``space``.

    Raises:
        SecretDecryptError: The provider is not the one that wrapped it, or it was changed.
    """
    try:
        found = await provider.unwrap(key.wrapped, key_binding(space_uid, key.key_id))
    except SealBrokenError as error:
        reason = f"its data key was wrapped by {key.provider!r}, which is not this master key"
        raise SecretDecryptError(space, None, reason) from error
    if len(found) != KEY_BYTES:
        raise SecretDecryptError(space, None, "its data key has a wrong length")
    return found
