"""``store.secrets``: values of a space that only who holds the master key can read."""

from typing import Any

from ramax.core.clock import Version
from ramax.core.codec import decode, encode
from ramax.core.limits import check_name, check_payload_size
from ramax.core.sealed import KeyProvider
from ramax.errors import CodecError, DataError, SpaceNotFoundError
from ramax.runtime.core import Core
from ramax.secrets.sealing import Sealer, opened_secret, sealed_secret
from ramax.secrets.space_keys import Known, SpaceKeys, write_new_key
from ramax.secrets.vault import Vault
from ramax.storage import secrets as rows
from ramax.storage.executors import Executor
from ramax.storage.replicas import read_identity
from ramax.values import Space


class Secrets:
    """The secrets of one space: outside events, pstate, logs and snapshots.

    A value is anything that a payload may hold. Each is sealed with AES-256-GCM under its space,
    name and version by a data key of the space, which the key provider of the database wraps.
    """

    def __init__(self, core: Core, space: Space, vault: Vault) -> None:
        self._core, self._space, self._vault = core, space, vault
        self._keys = SpaceKeys(core, space, vault)

    def __repr__(self) -> str:
        return f"<Secrets of {self._space.space_name!r}>"

    async def set(self, name: str, value: Any) -> None:
        """Seal a value under a name; what was there is overwritten.

        Raises:
            DataError: The name breaks a rule or the value cannot be stored; it is not shown.
            MisuseError: The database was opened without a key provider.
            SecretDecryptError: The master key is not the one of this space; nothing was written.
        """
        check_name(name, "secret name")
        plain = _packed(name, value)

        def work(ex: Executor, known: Known, sealer: Sealer, at: Version) -> None:
            write_new_key(ex, known, sealer, at)
            sealed = sealed_secret(sealer, known.space_uid, name, plain, at)
            rows.put_secrets(ex, known.space.space_id, [sealed])

        await self._keys.change(self._keys.sealer, work)

    async def get(self, name: str, default: Any = None) -> Any:
        """Open a secret, or return ``default``.

        Raises:
            MisuseError: The database was opened without a key provider.
            SecretDecryptError: It cannot be opened: another master key, or changed bytes.
            DataError: It holds what a later version of ramax has stored; it is not shown.
        """
        check_name(name, "secret name")
        space = await self._core.resolve(self._space)
        if not space.space_id:
            return default
        space_id = space.space_id
        (secret, exists), identity, keys = await self._core.read(
            lambda ex: (
                rows.read_secret(ex, space_id, name),
                read_identity(ex, space_id),
                rows.read_keys(ex, space_id),
            )
        )
        if not exists:
            raise SpaceNotFoundError(space.space_name)
        if secret is None or secret.deleted or identity is None:
            return default
        key = next((k for k in keys if k.key_id == secret.key_id and not k.destroyed), None)
        if key is None:
            return default
        opened = await self._vault.open(space.space_name, identity.space_uid, key)
        plain = opened_secret(opened, space.space_name, identity.space_uid, secret)
        try:
            return decode(plain)
        except CodecError:  # neither its message nor a cause may carry the value into a log
            rule = "this version of ramax cannot read its value"
            raise DataError("secret", name, rule) from None

    async def delete(self, name: str) -> bool:
        """Delete a secret; say whether there was one.

        A sealed mark stays in its place, so that no other replica brings the secret back.
        """
        check_name(name, "secret name")
        if name not in await self.list():
            return False

        def work(ex: Executor, known: Known, sealer: Sealer, at: Version) -> bool:
            space_id = known.space.space_id
            secret, _ = rows.read_secret(ex, space_id, name)
            if secret is None or secret.deleted:
                return False
            write_new_key(ex, known, sealer, at)
            mark = sealed_secret(sealer, known.space_uid, name, None, at)
            rows.put_secrets(ex, space_id, [mark])
            return True

        return await self._keys.change(self._keys.sealer, work)

    async def list(self) -> list[str]:
        """Return the names of all secrets, in order; their values stay sealed."""
        space = await self._core.resolve(self._space)
        if not space.space_id:
            return []
        found = await self._core.read(lambda ex: rows.read_secrets(ex, space.space_id))
        if found is None:
            raise SpaceNotFoundError(space.space_name)
        return [secret.name for secret in found if not secret.deleted]

    async def rotate(self, *, forget_old: bool = False) -> int:
        """Make a new data key and seal every secret with it; return how many there are.

        Args:
            forget_old: Destroy the older keys: what they sealed, in backups and on replicas that
                have not seen this yet, cannot be opened any more.

        Raises:
            SecretDecryptError: One secret cannot be opened; nothing was changed.
        """
        return await self._keys.rotate(forget_old=forget_old) if await self._is_saved() else 0

    async def rewrap(self, old: KeyProvider) -> int:
        """Wrap the data keys anew with this database's provider; return how many there are.

        Args:
            old: The provider that wrapped them until now.

        Raises:
            SecretDecryptError: ``old`` is not their provider; nothing was changed.
        """
        return await self._keys.rewrap(old) if await self._is_saved() else 0

    async def destroy(self) -> int:
        """Erase every secret by destroying the data keys; return how many secrets there were.

        Copies of the ciphertext, in backups and elsewhere, can never be opened again. What the
        space gets afterwards is sealed by a new key.
        """
        return await self._keys.destroy() if await self._is_saved() else 0

    async def _is_saved(self) -> bool:
        """Whether the space has a row: `default` has none before its first write."""
        return bool((await self._core.resolve(self._space)).space_id)


def _packed(name: str, value: Any) -> bytes:
    try:
        plain = encode(value, "secret")
        check_payload_size(plain, "secret")
    except CodecError as error:
        # neither the message nor a cause may carry the value into a log
        raise DataError("secret", name, f"its value cannot be stored: {error.rule}") from None
    return plain
