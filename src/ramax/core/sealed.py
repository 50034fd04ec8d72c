"""Sealed secrets and wrapped keys as replicas exchange them, and which of two wins.

Nothing here can be read without the key; what is compared and checked is around the ciphertext.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from ramax.core.clock import Version
from ramax.core.codec import encode
from ramax.core.limits import MAX_INTEGER, MAX_PAYLOAD_BYTES, check_name
from ramax.errors import DataError

ID_BYTES = 16
"""Ids of spaces, origins and keys, as replicas know them, are random and this long."""

_FORMAT = "ramax.secret.1"


class SealBrokenError(Exception):
    """The key is another one, or the bytes or what they are bound to were changed."""


class KeyProvider(Protocol):
    """Wraps data keys by a master key that never enters the database."""

    name: str
    """Stored beside what it wrapped, for people; 1 to 255 UTF-8 bytes."""

    async def wrap(self, key: bytes, bound_to: bytes) -> bytes:
        """Encrypt 32 bytes; at most 4,096 bytes come out."""
        ...

    async def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """Decrypt what `wrap` gave.

        Raises:
            SealBrokenError: Another master key wrapped it, or it was changed or moved.
        """
        ...


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key of a space, wrapped by a key provider.

    A destroyed key holds a proof instead: something that only the key itself could seal.
    """

    key_id: bytes
    provider: str
    wrapped: bytes
    stamp: int
    origin: bytes
    destroyed: bool = False

    @property
    def version(self) -> Version:
        """What orders two writes of the same key."""
        return self.stamp, self.origin

    def check(self) -> None:
        """Refuse what no replica would have made; `DataError` names it."""
        check_id(self.key_id, "key id")
        check_name(self.provider, "key provider")
        _check_version(self.stamp, self.origin)
        _check_bytes(self.wrapped, "wrapped key", 4096)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """One secret under its name; a deleted one seals nothing, and is kept so that it stays so."""

    name: str
    key_id: bytes
    sealed: bytes
    stamp: int
    origin: bytes
    deleted: bool = False

    @property
    def version(self) -> Version:
        """What orders two writes of the same name."""
        return self.stamp, self.origin

    def check(self) -> None:
        """Refuse what no replica would have made; `DataError` names it."""
        check_name(self.name, "secret name")
        check_id(self.key_id, "key id")
        _check_version(self.stamp, self.origin)
        _check_bytes(self.sealed, "sealed secret", MAX_PAYLOAD_BYTES + 64)


@dataclass(frozen=True, slots=True)
class SealedSet:
    """What a replica has of a space's secrets, destroyed keys and deleted secrets included."""

    keys: tuple[WrappedKey, ...] = ()
    secrets: tuple[SealedSecret, ...] = ()


def key_wins(new: WrappedKey, old: WrappedKey | None) -> bool:
    """Say whether ``new`` takes the place of ``old``: a destroyed key never comes back."""
    if old is None:
        return True
    if new.destroyed != old.destroyed:
        return new.destroyed
    return new.version > old.version


def secret_wins(new: SealedSecret, old: SealedSecret | None) -> bool:
    """Say whether ``new`` takes the place of ``old``: the later write does."""
    return old is None or new.version > old.version


def merged(one: SealedSet, other: SealedSet) -> SealedSet:
    """Return what wins of two sets, per key and name; nothing is opened, nothing is lost."""
    keys = {key.key_id: key for key in one.keys}
    for key in other.keys:
        if key_wins(key, keys.get(key.key_id)):
            keys[key.key_id] = key
    secrets = {secret.name: secret for secret in one.secrets}
    for secret in other.secrets:
        if secret_wins(secret, secrets.get(secret.name)):
            secrets[secret.name] = secret
    return SealedSet(
        tuple(keys[key_id] for key_id in sorted(keys)),
        tuple(secrets[name] for name in sorted(secrets)),
    )


def secret_binding(space_uid: bytes, secret: SealedSecret) -> bytes:
    """Return what a sealed secret is bound to: moved elsewhere it cannot be opened."""
    return _binding(
        "value",
        space_uid,
        secret.key_id,
        secret.name,
        secret.stamp,
        secret.origin,
        secret.deleted,
    )


def key_binding(space_uid: bytes, key_id: bytes) -> bytes:
    """Return what a wrapped data key is bound to."""
    return _binding("key", space_uid, key_id)


def proof_binding(space_uid: bytes, key_id: bytes) -> bytes:
    """Return what the proof of a destroyed key is bound to."""
    return _binding("destroyed", space_uid, key_id)


def _binding(*parts: Any) -> bytes:
    return encode([_FORMAT, *parts], "binding of a secret")


def check_id(value: object, what: str) -> None:
    """An id that replicas share: 16 bytes; else `DataError`."""
    _check_bytes(value, what, ID_BYTES)
    if len(value) != ID_BYTES:  # type: ignore[arg-type]
        raise DataError(what, value, f"must be {ID_BYTES} bytes")


def _check_version(stamp: object, origin: object) -> None:
    if type(stamp) is not int or not 0 <= stamp <= MAX_INTEGER:
        raise DataError("stamp", stamp, "must be an int from 0 to 2**63 - 1")
    check_id(origin, "origin")


def _check_bytes(value: object, what: str, limit: int) -> None:
    if type(value) is not bytes or len(value) > limit:
        raise DataError(what, type(value).__name__, f"must be at most {limit} bytes")
