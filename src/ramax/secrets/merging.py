"""Merging the sealed secrets of another replica: the later write wins, and nothing is erased.

Only ciphertext is exchanged. A replica with the master key opens whatever comes before it takes
it; a relay without one takes the later write and leaves the checking to those who can.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ramax.core.clock import Version, check_stamp
from ramax.core.sealed import SealedSecret, SealedSet, WrappedKey, key_wins, secret_wins
from ramax.errors import ClockSkewError, DataError, SecretDecryptError
from ramax.runtime.core import Core
from ramax.secrets.sealing import opened_secret, proves_destruction
from ramax.secrets.space_keys import Known, SpaceKeys
from ramax.secrets.vault import Vault, unwrap
from ramax.storage import secrets as rows
from ramax.storage.executors import Executor
from ramax.storage.replicas import observe_stamp
from ramax.values import Space


@dataclass(frozen=True, slots=True)
class Merged:
    """How many keys and secrets were taken over, and which were refused: name or key, and why."""

    taken: int
    refused: tuple[tuple[str, str], ...]


class SecretExchange:
    """Gives and takes the sealed secrets of one space."""

    def __init__(self, core: Core, space: Space, vault: Vault) -> None:
        self._core, self._vault = core, vault
        self._keys = SpaceKeys(core, space, vault)

    async def export(self) -> SealedSet:
        """Return all that another replica needs; nobody can read it without the master key."""
        known = await self._keys.known()
        space_id = known.space.space_id
        keys, secrets = await self._core.read(
            lambda ex: (rows.read_keys(ex, space_id), rows.read_secrets(ex, space_id))
        )
        return SealedSet(tuple(keys), tuple(secrets or ()))

    async def merge(self, given: SealedSet) -> Merged:
        """Take what wins over what is here; what is broken, or from the future, is refused."""
        now = self._core.clock()

        async def prepare(known: Known) -> "_Judge":
            opened = await self._opened(known, given)
            return _Judge(known, now, opened if self._vault.can_open else None)

        def work(ex: Executor, known: Known, judge: "_Judge", _at: Version) -> Merged:
            merged = _take(ex, known, judge, given, now)
            for key in rows.read_keys(ex, known.space.space_id):
                if key.destroyed:
                    self._vault.forget(known.space_uid, key.key_id)
            return merged

        return await self._keys.change(prepare, work)

    async def _opened(self, known: Known, given: SealedSet) -> dict[bytes, bytes]:
        """Open the keys that are here and those that come; one that does not open is left out."""
        opened: dict[bytes, bytes] = {}
        if not self._vault.can_open:
            return opened
        for key in (*known.keys, *given.keys):
            if not key.destroyed:
                try:
                    found = await unwrap(self._vault.provider, known.name, known.space_uid, key)
                except SecretDecryptError:
                    opened.pop(key.key_id, None)
                else:
                    opened[key.key_id] = found
        return opened


@dataclass
class _Judge:
    """Says why something is not to be taken over; ``opened`` is None on a relay."""

    known: Known
    now: int
    opened: Mapping[bytes, bytes] | None
    refused: list[tuple[str, str]] = field(default_factory=list)

    def accepts(self, each: WrappedKey | SealedSecret, label: str, rule: Callable[[], str]) -> bool:
        try:
            each.check()
            check_stamp(each.stamp, self.now)
            reason = "" if self.opened is None else rule()
        except (DataError, ClockSkewError, SecretDecryptError) as error:
            reason = str(error)
        if reason:
            self.refused.append((label, reason))
        return not reason

    def of_key(self, new: WrappedKey, old: WrappedKey | None) -> str:
        opened = self.opened or {}
        if not new.destroyed:
            return "" if new.key_id in opened else "wrapped by another master key, or changed"
        if old is None or old.destroyed:
            return ""
        key = opened.get(new.key_id)
        if key is None or not proves_destruction(new, key, self.known.space_uid):
            return "nothing proves that a holder of the key destroyed it"
        return ""

    def of_secret(self, new: SealedSecret, keys: Mapping[bytes, WrappedKey]) -> str:
        key = keys.get(new.key_id)
        if key is not None and key.destroyed:
            return "its data key was destroyed"
        opened = (self.opened or {}).get(new.key_id)
        if key is None or opened is None:
            return "its data key is not here"
        opened_secret(opened, self.known.name, self.known.space_uid, new)
        return ""


def _take(ex: Executor, known: Known, judge: _Judge, given: SealedSet, now: int) -> Merged:
    space_id = known.space.space_id
    keys = {key.key_id: key for key in rows.read_keys(ex, space_id)}
    secrets = {secret.name: secret for secret in rows.read_secrets(ex, space_id) or []}
    new_keys: dict[bytes, WrappedKey] = {}
    for key in given.keys:
        old = keys.get(key.key_id)
        if key_wins(key, old) and judge.accepts(
            key,
            f"key {key.key_id.hex()}",
            lambda k=key, o=old: judge.of_key(k, o),  # type: ignore[misc]
        ):
            keys[key.key_id] = new_keys[key.key_id] = key
    new_secrets: dict[str, SealedSecret] = {}
    for secret in given.secrets:
        if secret_wins(secret, secrets.get(secret.name)) and judge.accepts(
            secret,
            str(secret.name),
            lambda s=secret: judge.of_secret(s, keys),  # type: ignore[misc]
        ):
            secrets[secret.name] = new_secrets[secret.name] = secret
    rows.put_keys(ex, space_id, list(new_keys.values()))
    rows.put_secrets(ex, space_id, list(new_secrets.values()))
    for key in new_keys.values():
        if key.destroyed:
            rows.erase_sealed_by(ex, space_id, key.key_id)
    stamps = [k.stamp for k in new_keys.values()] + [s.stamp for s in new_secrets.values()]
    if stamps:
        observe_stamp(ex, space_id, max(stamps), now)
    return Merged(len(stamps), tuple(judge.refused))
