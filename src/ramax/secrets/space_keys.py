"""The data keys of one space: which there are, and how they change under the space's lock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ramax.core.clock import Version
from ramax.core.sealed import KeyProvider, WrappedKey
from ramax.errors import SecretDecryptError
from ramax.runtime.core import Core
from ramax.secrets.sealing import Sealer, destroyed_key, opened_secret, sealed_secret
from ramax.secrets.vault import Vault, unwrap
from ramax.storage import secrets as rows
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.storage.replicas import ensure_identity, next_version, read_identity
from ramax.values import Space

P = TypeVar("P")
T = TypeVar("T")


class KeysMovedError(Exception):
    """Somebody made, rotated or destroyed keys since they were read; look again."""


@dataclass(frozen=True, slots=True)
class Known:
    """A space with its id among replicas and its live data keys, the newest last."""

    space: Space
    space_uid: bytes
    keys: tuple[WrappedKey, ...]

    @property
    def name(self) -> str:
        """What the space is called."""
        return self.space.space_name


class SpaceKeys:
    """Wraps and unwraps outside the lock, which may take long; compares and writes under it."""

    def __init__(self, core: Core, space: Space, vault: Vault) -> None:
        self._core, self._space, self._vault = core, space, vault

    async def known(self) -> Known:
        """Read the keys of the space; it gets its row and its identity here if it has none."""
        space = await self._core.saved(self._space)
        identity, keys = await self._core.read(
            lambda ex: (read_identity(ex, space.space_id), rows.read_keys(ex, space.space_id))
        )
        if identity is None:
            now = self._core.clock()
            identity = await self._locked(
                space, lambda ex: ensure_identity(ex, space.space_id, now)
            )
        return Known(space, identity.space_uid, _live(keys))

    async def change(
        self,
        prepare: Callable[[Known], Awaitable[P]],
        work: Callable[[Executor, Known, P, Version], T],
    ) -> T:
        """Prepare, then work under the space's lock with a version of its own.

        Both run again where somebody else has changed the keys in between.
        """
        while True:
            known = await self.known()
            prepared = await prepare(known)
            now = self._core.clock()
            step = partial(_if_unmoved, known=known, prepared=prepared, work=work, now=now)
            try:
                return await self._locked(known.space, step)
            except KeysMovedError:
                continue

    async def sealer(self, known: Known) -> Sealer:
        """Return the newest data key, opened, or a new one."""
        if known.keys:
            key_id = known.keys[-1].key_id
            opened = await self._vault.open(known.name, known.space_uid, known.keys[-1])
            return Sealer(key_id, opened)
        made = await self._vault.create(known.space_uid)
        opened_new = self._vault.opened(known.space_uid, made.key_id)
        assert opened_new is not None
        return Sealer(made.key_id, opened_new, made)

    async def opened(self, known: Known) -> dict[bytes, bytes]:
        """Open every data key; raise `SecretDecryptError` where one does not open."""
        return {
            key.key_id: await self._vault.open(known.name, known.space_uid, key)
            for key in known.keys
        }

    async def rotate(self, *, forget_old: bool) -> int:
        """See `Secrets.rotate`."""

        async def prepare(known: Known) -> tuple[dict[bytes, bytes], Sealer]:
            opened = await self.opened(known)
            return opened, await self.sealer(replace(known, keys=()))

        def work(
            ex: Executor, known: Known, prepared: tuple[dict[bytes, bytes], Sealer], at: Version
        ) -> int:
            opened, sealer = prepared
            uid, name = known.space_uid, known.name
            resealed = []
            for secret in rows.read_secrets(ex, known.space.space_id) or []:
                if (old := opened.get(secret.key_id)) is not None:
                    plain = opened_secret(old, name, uid, secret)
                    kept = None if secret.deleted else plain
                    resealed.append(sealed_secret(sealer, uid, secret.name, kept, at))
            write_new_key(ex, known, sealer, at)
            rows.put_secrets(ex, known.space.space_id, resealed)
            if forget_old:
                self._destroy(ex, known, opened, at)
            return sum(not secret.deleted for secret in resealed)

        return await self.change(prepare, work)

    async def rewrap(self, old: KeyProvider) -> int:
        """See `Secrets.rewrap`."""

        async def prepare(known: Known) -> list[WrappedKey]:
            uid = known.space_uid
            opened = [await unwrap(old, known.name, uid, key) for key in known.keys]
            pairs = zip(known.keys, opened, strict=True)
            return [await self._vault.wrap(uid, key.key_id, data) for key, data in pairs]

        def work(ex: Executor, known: Known, wrapped: list[WrappedKey], at: Version) -> int:
            rows.put_keys(ex, known.space.space_id, [_at(key, at) for key in wrapped])
            return len(wrapped)

        return await self.change(prepare, work)

    async def destroy(self) -> int:
        """See `Secrets.destroy`."""

        async def prepare(known: Known) -> dict[bytes, bytes]:
            try:
                return await self.opened(known)
            except SecretDecryptError:
                return {}  # a lost master key must not keep a key alive; only the proof is lost

        def work(ex: Executor, known: Known, opened: dict[bytes, bytes], at: Version) -> int:
            found = rows.read_secrets(ex, known.space.space_id) or []
            self._destroy(ex, known, opened, at)
            rows.erase(ex, known.space.space_id)
            return sum(not secret.deleted for secret in found)

        return await self.change(prepare, work)

    def _destroy(self, ex: Executor, known: Known, opened: dict[bytes, bytes], at: Version) -> None:
        uid = known.space_uid
        gone = [destroyed_key(key, opened.get(key.key_id), uid, at) for key in known.keys]
        rows.put_keys(ex, known.space.space_id, gone)
        for key in known.keys:
            self._vault.forget(uid, key.key_id)

    async def _locked(self, space: Space, work: Callable[[Executor], T]) -> T:
        def locked(ex: Executor) -> T:
            take_lock(ex, space.space_id, space.space_name)
            return work(ex)

        return await self._core.locked(f"secrets of space {space.space_name!r}", locked)


def write_new_key(ex: Executor, known: Known, sealer: Sealer, at: Version) -> None:
    """Write the data key that a sealer made, if it made one."""
    if sealer.made is not None:
        rows.put_keys(ex, known.space.space_id, [_at(sealer.made, at)])


def _if_unmoved(
    ex: Executor,
    *,
    known: Known,
    prepared: P,
    work: Callable[[Executor, Known, P, Version], T],
    now: int,
) -> T:
    space_id = known.space.space_id
    if _live(rows.read_keys(ex, space_id)) != known.keys:
        raise KeysMovedError
    return work(ex, known, prepared, next_version(ex, space_id, now))


def _live(keys: list[WrappedKey]) -> tuple[WrappedKey, ...]:
    return tuple(key for key in keys if not key.destroyed)


def _at(key: WrappedKey, version: Version) -> WrappedKey:
    return replace(key, stamp=version[0], origin=version[1])
